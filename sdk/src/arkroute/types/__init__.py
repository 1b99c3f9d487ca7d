"""What the API answers. Every object is a dict that has attributes, too."""

from arkroute.types.account import Account, AccountKey, Balance
from arkroute.types.audio import Segment, Transcription, TranscriptionEvent, VerboseTranscription, Word
from arkroute.types.chat import (
    ChatCompletion,
    ChatCompletionChunk,
    ChatUsage,
    Choice,
    ChunkChoice,
    Function,
    Message,
    ToolCall,
)
from arkroute.types.embeddings import Embedding, EmbeddingList
from arkroute.types.images import Image, ImageEvent, ImagesResponse
from arkroute.types.models import Model, ModelFields, ModelList, Price
from arkroute.types.money import Quote, QuoteLine, Receipt, ReceiptAttempt, ReceiptFields, ReceiptList, ReceiptTimings
from arkroute.types.record import Answer, PaidAnswer, Record, TextAnswer
from arkroute.types.sessions import Session, SessionDeleted, SessionList
from arkroute.types.videos import VideoError, VideoTask

__all__ = [
    "Account",
    "AccountKey",
    "Answer",
    "Balance",
    "ChatCompletion",
    "ChatCompletionChunk",
    "ChatUsage",
    "Choice",
    "ChunkChoice",
    "Embedding",
    "EmbeddingList",
    "Function",
    "Image",
    "ImageEvent",
    "ImagesResponse",
    "Message",
    "Model",
    "ModelFields",
    "ModelList",
    "PaidAnswer",
    "Price",
    "Quote",
    "QuoteLine",
    "Receipt",
    "ReceiptAttempt",
    "ReceiptFields",
    "ReceiptList",
    "ReceiptTimings",
    "Record",
    "Segment",
    "Session",
    "SessionDeleted",
    "SessionList",
    "TextAnswer",
    "ToolCall",
    "Transcription",
    "TranscriptionEvent",
    "VerboseTranscription",
    "VideoError",
    "VideoTask",
    "Word",
]
