/** The recording that was chosen: it is played in the browser, which tells its length. */

// Where a browser does not know the end of a file, it looks for it when asked to go there. Seconds.
const BEYOND_ANY_END = 1e7;

export class Recording {
  /** How long it is, in seconds; 0 where nobody knows. */
  seconds = 0;
  onTime = () => {};

  /** `parts`: `player` with `audio`, `recordingName` and `unplayable`. `onLength()` is called once that is known. */
  constructor(parts, { onLength }) {
    this.parts = parts;
    this.onLength = onLength;
    const { audio } = parts;
    audio.addEventListener("loadedmetadata", () => this.#measure());
    audio.addEventListener("durationchange", () => this.#measure());
    audio.addEventListener("timeupdate", () => this.onTime(audio.currentTime));
    audio.addEventListener("error", () => {
      if (this.file) this.parts.unplayable.hidden = false;
    });
  }

  /** Takes a `File`, or undefined where none is chosen. */
  take(file) {
    if (file === this.file) return;
    this.file = file;
    this.seconds = 0;
    const { player, audio, recordingName, unplayable } = this.parts;
    URL.revokeObjectURL(audio.src);
    player.hidden = !file;
    unplayable.hidden = true;
    recordingName.textContent = file?.name ?? "";
    if (file) audio.src = URL.createObjectURL(file);
    else audio.removeAttribute("src");
  }

  seek(seconds) {
    const { audio } = this.parts;
    audio.currentTime = seconds;
    // A browser may refuse to play; the place is found all the same.
    audio.play().catch(() => {});
  }

  #measure() {
    const { audio } = this.parts;
    if (audio.duration === Infinity) {
      audio.currentTime = BEYOND_ANY_END;
      return;
    }
    if (!(audio.duration > 0) || this.seconds === audio.duration) return;
    if (audio.currentTime >= audio.duration) audio.currentTime = 0;
    this.seconds = audio.duration;
    this.onLength();
  }
}
