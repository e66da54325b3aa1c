// <live-player>: plays a recording while it grows and after, parts as one, with links that are renewed unseen.
// A finished recording of one part is a plain MP4 and needs no hls.js.
(() => {
  const { Controls, EDGE_SECONDS, remember, remembered } = window.WentlivePlayer;
  const RETRY_MS = 2000;
  const MOST_RETRIES = 30; // of one trouble, before it is said plainly
  const RENEW_MS = 10 * 60 * 1000; // so long before its end a link is not used any more
  const ASK_MS = 30 * 1000; // new links are not asked for more often
  const NEAR_START = 10;
  const NEAR_END = 0.97; // who got this far has seen it
  const SAVE_MS = 5000;

  // Links by what they lead to: a playlist that is over is read once, and may be watched longer than its links hold.
  class Links {
    constructor(playlist) {
      this.playlist = playlist;
      this.known = new Map();
      this.askedAt = -Infinity;
    }

    async fresh(address) {
      const url = new URL(address, location.href);
      const until = Date.parse(url.searchParams.get("se") || "");
      if (!(until - Date.now() < RENEW_MS)) return address;
      if (performance.now() - this.askedAt > ASK_MS) {
        this.askedAt = performance.now();
        this.asking = this.ask().catch(() => {}); // the old link may still do
      }
      await this.asking;
      return this.known.get(url.pathname) || address;
    }

    async ask() {
      const answer = await fetch(this.playlist);
      if (!answer.ok) return;
      for (const line of (await answer.text()).split("\n")) {
        if (line && line[0] !== "#") this.known.set(new URL(line, location.href).pathname, line);
      }
    }
  }

  // hls.js' own loader, given a link that holds.
  const renewing = (links) => class extends window.Hls.DefaultConfig.loader {
    load(context, config, callbacks) {
      links.fresh(context.url).then((url) => {
        if (this.gone) return;
        context.url = url;
        super.load(context, config, callbacks);
      });
    }

    abort() {
      this.gone = true;
      super.abort();
    }

    destroy() {
      this.gone = true;
      super.destroy();
    }
  };

  class LivePlayer extends HTMLElement {
    connectedCallback() {
      if (this.video) return;
      this.video = this.querySelector("video");
      this.edge = this.querySelector(".edge");
      this.note = this.querySelector(".player-note");
      this.retries = 0;
      this.links = new Links(this.getAttribute("playlist"));
      this.controls = new Controls(this);
      this.edge.addEventListener("click", () => this.jumpToLive());
      this.video.addEventListener("timeupdate", () => { this.showEdge(); this.savePlace(); });
      this.video.addEventListener("playing", () => { this.retries = 0; this.say(""); });
      this.video.addEventListener("loadedmetadata", () => this.takePlace(), { once: true });
      this.onHash = () => { if (this.linked != null) this.controls.seek(this.linked); };
      addEventListener("hashchange", this.onHash);
      if (this.video.getAttribute("src")) {
        this.video.addEventListener("error", () => this.reloadFile());
        if (this.video.readyState >= 1) this.takePlace();
      } else {
        this.whenReady(() => this.startStream(this.linked ?? -1));
      }
    }

    disconnectedCallback() {
      clearTimeout(this.timer);
      removeEventListener("hashchange", this.onHash);
      this.controls?.destroy();
      this.hls?.destroy();
      this.hls = null;
    }

    // The moment that the address names: `#t=83`.
    get linked() {
      const found = /^#t=(\d+(?:\.\d+)?)$/.exec(location.hash);
      return found ? Number(found[1]) : null;
    }

    get place() {
      return `at:${this.getAttribute("playlist")}`;
    }

    // Where one left off, unless one watches live or the address says where.
    takePlace() {
      if (this.taken) return;
      this.taken = true;
      const left = Number(remembered(this.place));
      if (this.linked != null) this.controls.seek(this.linked);
      else if (!this.hasAttribute("live") && left > NEAR_START && left < this.controls.end * NEAR_END) this.controls.seek(left);
    }

    savePlace() {
      if (!this.taken || performance.now() - (this.savedAt ?? -Infinity) < SAVE_MS) return;
      this.savedAt = performance.now();
      remember(this.place, this.video.currentTime.toFixed(1));
    }

    // hls.js is loaded with the page, but perhaps after this element was swapped in.
    whenReady(start) {
      if (window.Hls || document.readyState === "complete") start();
      else window.addEventListener("load", start, { once: true });
    }

    startStream(from = -1) {
      const playlist = this.getAttribute("playlist");
      if (!window.Hls?.isSupported()) {
        this.video.src = playlist; // Safari plays HLS by itself
        return;
      }
      // Fragments are fMP4 already: there is nothing for a worker to convert.
      this.hls = new window.Hls({
        enableWorker: false, startPosition: from, liveSyncDuration: 6, backBufferLength: 90, fLoader: renewing(this.links),
      });
      this.hls.on(window.Hls.Events.ERROR, (_, problem) => this.onProblem(problem));
      this.hls.on(window.Hls.Events.LEVEL_UPDATED, () => this.showEdge());
      this.hls.loadSource(playlist);
      this.hls.attachMedia(this.video);
      if (this.hasAttribute("live")) this.video.play().catch(() => { this.video.muted = true; this.video.play().catch(() => {}); });
    }

    onProblem(problem) {
      if (!problem.fatal) return;
      if (problem.type === window.Hls.ErrorTypes.MEDIA_ERROR && this.retries++ < 3) {
        this.hls.recoverMediaError();
        return;
      }
      // Storage or we are away, or nothing is there yet: begin again where one was.
      const at = this.video.currentTime || -1;
      const resume = !this.video.paused;
      this.hls.destroy();
      this.hls = null;
      if (this.retries++ >= MOST_RETRIES) {
        this.say("This cannot be played right now. Load the page again in a while.");
        return;
      }
      this.say("One moment…");
      this.timer = setTimeout(() => { this.startStream(at); if (resume) this.video.play().catch(() => {}); }, RETRY_MS);
    }

    // The file's address leads to a new link each time it is asked for.
    reloadFile() {
      if (this.retries++ >= 3) {
        this.say("This video cannot be played right now. It can be downloaded below.");
        return;
      }
      const at = this.video.currentTime;
      const resume = !this.video.paused;
      this.video.load();
      this.video.addEventListener("loadedmetadata", () => {
        this.video.currentTime = at;
        if (resume) this.video.play().catch(() => {});
      }, { once: true });
    }

    get live() {
      return Boolean(this.hls?.levels?.[0]?.details?.live);
    }

    showEdge() {
      const edge = this.hls?.liveSyncPosition;
      this.edge.hidden = !this.live || edge == null || edge - this.video.currentTime < EDGE_SECONDS;
    }

    jumpToLive() {
      const edge = this.hls?.liveSyncPosition;
      this.controls.seek(this.live && edge != null ? edge : this.controls.end);
      this.video.play().catch(() => {});
    }

    say(text) {
      this.note.textContent = text;
      this.note.hidden = !text;
    }
  }

  customElements.define("live-player", LivePlayer);
})();
