// Questions to the server. A feed has one in flight at most, and then asks the newest: what lies between is left out.

async function answerTo(path, signal) {
  let response;
  try {
    response = await fetch(path, { signal, cache: "no-store" });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Error("The server does not answer: has ganfw play been stopped?");
  }
  if (response.ok) return response;
  const { error } = await response.json().catch(() => ({ error: `the server answers ${response.status}` }));
  throw new Error(error);
}

export const ask = async path => (await answerTo(path)).json();

export async function askSamples(query, signal) {
  const response = await answerTo(`api/samples?${query}`, signal);
  const about = JSON.parse(response.headers.get("X-Samples")), buffer = await response.arrayBuffer();
  const values = about.kind === "images" ? new Uint8Array(buffer) : new Float32Array(buffer);
  return { ...about, values, count: about.shape[0], size: values.length / about.shape[0] };
}

export class Feed {
  #flying = null; #next = null; #last = "";

  constructor(show, fail, wait = () => {}) { Object.assign(this, { show, fail, wait }); }

  // Ask for the samples of a query, unless they are those asked for last.
  ask(query) {
    const text = `${query}`;
    if (text === this.#last) return;
    this.#last = this.#next = text;
    if (this.#flying === null) this.#fly();
  }

  async #fly() {
    while (this.#next !== null) {
      const query = this.#next;
      this.#next = null;
      this.#flying = new AbortController();
      this.wait(true);
      try {
        this.show(await askSamples(query, this.#flying.signal));
      } catch (error) {
        if (error.name !== "AbortError") {
          this.#last = "";
          this.fail(error.message);
        }
      }
    }
    this.#flying = null;
    this.wait(false);
  }

  // Ask anew even for the same query: its newest checkpoint is another one now.
  forget() { this.#last = ""; }

  close() {
    this.#next = null;
    this.#flying?.abort();
    this.show = this.fail = this.wait = () => {};
  }
}
