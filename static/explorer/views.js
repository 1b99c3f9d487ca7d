/**
 * The views: one for each type of model, which knows what is filled in, makes the call and shows what comes of it.
 *
 * A view has
 * - `schema(model)`: the JSON Schema that the form is made of, with the names of the `usual` fields;
 * - `compose(values)`: the request's body, without its model, of what is filled in;
 * - `describe(body)`: that body as far as it decides the price (`describable`);
 * - `run(body, {signal})`: makes the call and shows its result. Resolves to `{requestId, credits, standIn, servedBy,
 *   summary}`, and where they fit `title`, `picture` and `taskId`; throws `ApiError`, or `AbortError` when stopped;
 * - where they fit `busyLabel` and `stoppedText`; and for what goes on after a run `isAtWork`, `stop()` and `taskId`.
 */

import { ChatView } from "./chat.js";
import { EmbeddingView } from "./embedding.js";
import { ImageView } from "./image.js";
import { TranscriptionView } from "./transcription.js";
import { VideoView } from "./video.js";

const VIEWS = {
  image: ImageView,
  video: VideoView,
  chat: ChatView,
  embedding: EmbeddingView,
  transcription: TranscriptionView,
};

/** `{type: view}` for the panels below `root`, each `[data-view]`. `pageFor(type)` is what the view knows of the page. */
export function makeViews(root, pageFor) {
  const panels = [...root.querySelectorAll("[data-view]")];
  for (const panel of panels) panel.dataset.receipts = root.dataset.receipts;
  return Object.fromEntries(
    panels.map((panel) => [panel.dataset.view, new VIEWS[panel.dataset.view](panel, pageFor(panel.dataset.view))]),
  );
}
