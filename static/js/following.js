// The events of a run as they come, through every reconnection.

import { ENDED, KINDS } from "./history.js";
import { refusalOf } from "./request.js";

const AGAIN_MS = 3000;
const SILENT = "The server doesn’t answer.";

/**
 * Follow a run until it has ended. What was told before a reconnection may come again.
 * @param {string} url
 * @param {(number: number, kind: string, facts: any) => void} tell
 * @param {(trouble: string) => void} connection is told what keeps events back, or nothing
 * @returns {() => void} what ends it before
 */
export function follow(url, tell, connection) {
  const source = new EventSource(url);
  let ended = false;
  let end = () => source.close();
  for (const kind of KINDS) {
    source.addEventListener(kind, (event) => {
      tell(Number(event.lastEventId), kind, JSON.parse(event.data));
      // Only the end of the stream tells that a run which was resumed has really ended.
      ended = ENDED.includes(kind);
    });
  }
  source.addEventListener("open", () => connection(""));
  source.addEventListener("error", async () => {
    if (ended) return source.close();
    // The browser itself tries again, unless the server's answer was an error.
    if (source.readyState !== EventSource.CLOSED) return connection(SILENT);
    const again = setTimeout(() => (end = follow(url, tell, connection)), AGAIN_MS);
    end = () => clearTimeout(again);
    connection((await refusalOf(url)) || SILENT);
  });
  return () => end();
}
