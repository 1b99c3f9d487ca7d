/** Records from the microphone, where the browser has one to give. */

export class Microphone {
  /** `parts`: `recordRow` with the button `record`, its `recordLabel`, and `recordNote`. `onRecorded(file)` gets it. */
  constructor(parts, { onRecorded }) {
    this.parts = parts;
    this.onRecorded = onRecorded;
    // Not on pages that came by plain http.
    parts.recordRow.hidden = !navigator.mediaDevices?.getUserMedia || !window.MediaRecorder;
    parts.record.addEventListener("click", () => (this.recorder ? this.recorder.stop() : this.#start()));
  }

  async #start() {
    const { record, recordNote } = this.parts;
    recordNote.textContent = "";
    record.disabled = true;
    try {
      this.#record(await navigator.mediaDevices.getUserMedia({ audio: true }));
    } catch (error) {
      // As the browser names it: denied, no microphone, or in use elsewhere.
      recordNote.textContent = `The microphone cannot be used: ${error.message}.`;
    } finally {
      record.disabled = false;
    }
  }

  #record(stream) {
    const pieces = [];
    this.recorder = new MediaRecorder(stream);
    this.recorder.addEventListener("dataavailable", ({ data }) => pieces.push(data));
    this.recorder.addEventListener("stop", () => {
      const type = this.recorder.mimeType.split(";")[0];
      for (const track of stream.getTracks()) track.stop();
      this.#show(null);
      this.onRecorded(new File(pieces, `recording.${type.split("/")[1]}`, { type }));
    });
    this.#show(this.recorder);
    this.recorder.start();
  }

  #show(recorder) {
    const { record, recordLabel, recordNote } = this.parts;
    this.recorder = recorder;
    record.dataset.recording = String(Boolean(recorder));
    recordLabel.textContent = recorder ? "Stop recording" : "Record with the microphone";
    recordNote.textContent = recorder ? "Recording…" : "";
  }
}
