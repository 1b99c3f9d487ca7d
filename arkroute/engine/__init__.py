"""The engine: open-weight models on this machine, behind one OpenAI-compatible server on loopback.

Belongs here: where the weights lie, what runs them (llama.cpp, Whisper), and the front that serves them. Does not: who
may call, what it costs. To the gateway it is what vLLM, SGLang, llama.cpp or Ollama servers are in production.
"""
