// Browsers start no web worker from the disk, but the search runs in one. There, a frame that is not shown takes its place.
if (location.protocol === "file:") {
  const run = (window, url) =>
    new Promise((resolve, reject) => {
      const script = window.document.createElement("script")
      script.src = url
      script.onload = resolve
      script.onerror = reject
      window.document.body.append(script)
    })

  class FrameWorker extends EventTarget {
    constructor(url) {
      super()
      const frame = document.createElement("iframe")
      frame.hidden = true
      document.body.append(frame)
      this.inside = frame.contentWindow
      this.inside.postMessage = (data) => this.dispatchEvent(new MessageEvent("message", { data }))
      this.inside.importScripts = async (...urls) => {
        for (const each of urls) await run(this.inside, each)
      }
      this.started = run(this.inside, url)
    }

    postMessage(data) {
      this.started.then(() => this.inside.dispatchEvent(new MessageEvent("message", { data })))
    }

    terminate() {
      this.inside.frameElement.remove()
    }
  }

  window.IFrameWorker = window.Worker = FrameWorker // the theme's worker looks for the first name
}
