// <live-player>: plays a recording while it grows and after, parts as one, with links that are renewed unseen.
// A finished recording of one part is a plain MP4 and needs the browser's own player only.
(() => {
  const BEHIND_SECONDS = 12; // further back than this, one is no longer watching live
  const RETRY_MS = 2000;
  const MOST_RETRIES = 30; // of one trouble, before it is said plainly

  class LivePlayer extends HTMLElement {
    connectedCallback() {
      if (this.video) return;
      this.video = this.querySelector("video");
      this.edge = this.querySelector(".edge");
      this.note = this.querySelector(".player-note");
      this.retries = 0;
      this.edge.addEventListener("click", () => this.jumpToLive());
      this.video.addEventListener("timeupdate", () => this.showEdge());
      this.video.addEventListener("playing", () => { this.retries = 0; this.say(""); });
      if (this.video.getAttribute("src")) {
        this.video.addEventListener("error", () => this.reloadFile());
      } else {
        this.whenReady(() => this.startStream());
      }
    }

    disconnectedCallback() {
      clearTimeout(this.timer);
      this.hls?.destroy();
      this.hls = null;
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
      this.hls = new window.Hls({ enableWorker: false, startPosition: from, liveSyncDuration: 6, backBufferLength: 90 });
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
      // Links ran out, storage or we are away, or nothing is there yet: begin again where one was.
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

    reloadFile() {
      if (this.retries++ >= 3) {
        this.say("This video cannot be played right now. It can be downloaded below.");
        return;
      }
      const at = this.video.currentTime;
      this.video.load();
      this.video.addEventListener("loadedmetadata", () => { this.video.currentTime = at; }, { once: true });
    }

    get live() {
      return Boolean(this.hls?.levels?.[0]?.details?.live);
    }

    showEdge() {
      const edge = this.hls?.liveSyncPosition;
      this.edge.hidden = !this.live || edge == null || edge - this.video.currentTime < BEHIND_SECONDS;
    }

    jumpToLive() {
      this.video.currentTime = this.hls.liveSyncPosition;
      this.video.play().catch(() => {});
    }

    say(text) {
      this.note.textContent = text;
      this.note.hidden = !text;
    }
  }

  customElements.define("live-player", LivePlayer);
})();
