// The player's own controls: seeking with pictures, speed, keys, clips, theatre, fullscreen.
(() => {
  const IDLE_MS = 3000;
  const EDGE_SECONDS = 12; // further back than this, one is no longer watching live
  const SCALE = 1000;

  const clock = (value) => {
    const whole = Math.max(0, Math.floor(value));
    const two = (n) => String(n).padStart(2, "0");
    const hours = Math.floor(whole / 3600);
    const minutes = Math.floor(whole / 60) % 60;
    return hours ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
  };

  const remembered = (name) => { try { return localStorage.getItem(name); } catch { return null; } };
  const remember = (name, value) => { try { localStorage.setItem(name, value); } catch { /* private mode: not kept */ } };

  class Controls {
    constructor(player) {
      this.player = player;
      this.video = player.video;
      this.bar = player.querySelector(".pc");
      this.base = player.getAttribute("playlist").replace(/\/playlist\.m3u8$/, "");
      this.own = player.hasAttribute("recording");
      this.pictures = new window.WentlivePlayer.Pictures(this.base);
      this.find = (selector) => this.bar.querySelector(selector);
      this.button = (name) => this.find(`.pc-row [data-do="${name}"]`);
      this.slider = this.find(".pc-slider");
      this.clip = null;
      this.stop = new AbortController();
      this.show();
      this.listen();
      this.restore();
      this.refresh();
    }

    destroy() {
      this.stop.abort();
      clearTimeout(this.idle);
    }

    show() {
      this.video.controls = false;
      this.bar.hidden = false;
      this.button("clip").hidden = !this.own;
      this.button("pip").hidden = !document.pictureInPictureEnabled;
    }

    listen() {
      const on = (target, names, heard) => {
        for (const name of names.split(" ")) target.addEventListener(name, heard, { signal: this.stop.signal });
      };
      on(this.video, "timeupdate durationchange progress play pause volumechange ratechange ended", () => this.refresh());
      on(this.video, "click", () => this.tapped());
      on(this.video, "dblclick", () => this.do("full"));
      on(this.bar, "click", (event) => {
        const button = event.target.closest("[data-do]");
        if (button) this.do(button.dataset.do);
      });
      on(this.bar, "submit", (event) => event.preventDefault());
      on(this.slider, "input", () => { this.seek(Number(this.slider.value)); this.hover(Number(this.slider.value)); });
      on(this.slider, "pointermove", (event) => this.hover(this.momentAt(event)));
      on(this.slider, "pointerleave blur change", () => { this.find(".pc-hover").hidden = true; });
      on(this.find(".pc-volume"), "input", (event) => {
        this.video.volume = Number(event.target.value);
        this.video.muted = this.video.volume === 0;
        remember("volume", this.video.volume);
      });
      on(this.find(".pc-speed"), "change", (event) => this.speed(Number(event.target.value)));
      on(this.player, "pointerdown", (event) => { this.onlyWoke = event.pointerType === "touch" && this.player.classList.contains("idle"); });
      on(this.player, "pointermove pointerdown focusin keydown", () => this.wake());
      on(document, "keydown", (event) => this.key(event));
    }

    restore() {
      const volume = Number(remembered("volume") ?? 1);
      if (volume >= 0 && volume <= 1) this.video.volume = volume;
      if (remembered("theatre") === "yes") this.theatre(true);
    }

    // A finger's first tap shows the controls, a mouse's click plays or pauses.
    tapped() {
      if (!this.onlyWoke) this.do("play");
    }

    get end() {
      const { seekable, duration } = this.video;
      if (Number.isFinite(duration) && duration > 0) return duration;
      return seekable.length ? seekable.end(seekable.length - 1) : 0;
    }

    seek(moment) {
      this.video.currentTime = Math.min(Math.max(0, moment), Math.max(0, this.end - 0.05));
      this.refresh();
    }

    speed(rate) {
      this.video.playbackRate = rate;
    }

    // One step faster or slower, among those on offer.
    step(by) {
      const offered = [...this.find(".pc-speed").options].map((option) => Number(option.value));
      const at = offered.indexOf(this.video.playbackRate);
      this.speed(offered[Math.min(Math.max((at < 0 ? offered.indexOf(1) : at) + by, 0), offered.length - 1)]);
    }

    do(what) {
      const { video, player } = this;
      const acts = {
        play: () => (video.paused ? video.play().catch(() => {}) : video.pause()),
        mute: () => { video.muted = !video.muted; },
        live: () => player.jumpToLive(),
        link: () => this.copyMoment(),
        pip: () => (document.pictureInPictureElement ? document.exitPictureInPicture() : video.requestPictureInPicture()).catch(() => {}),
        theatre: () => this.theatre(!this.button("theatre").classList.contains("on")),
        full: () => this.fullscreen(),
        clip: () => this.openClip(),
        "clip-from": () => { this.clip.from = video.currentTime; this.showClip(); },
        "clip-to": () => { this.clip.to = video.currentTime; this.showClip(); },
      };
      acts[what]?.();
    }

    key(event) {
      const busy = event.target.closest?.("input:not(.pc-slider), textarea, select, dialog, [contenteditable]");
      if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || busy) return;
      // Space and Enter belong to what is focused.
      if (event.key === " " && event.target.closest?.("button, a, summary")) return;
      const { video } = this;
      const louder = (by) => () => { video.volume = Math.min(1, Math.max(0, video.volume + by)); video.muted = false; };
      const acts = {
        k: "play", " ": "play", m: "mute", f: "full", t: "theatre", i: "pip", c: this.own ? "clip" : null, End: "live",
        ArrowLeft: () => this.seek(video.currentTime - 5), ArrowRight: () => this.seek(video.currentTime + 5),
        j: () => this.seek(video.currentTime - 10), l: () => this.seek(video.currentTime + 10),
        ArrowUp: louder(0.1), ArrowDown: louder(-0.1), "<": () => this.step(-1), ">": () => this.step(1),
        Home: () => this.seek(0),
      };
      const act = /^[0-9]$/.test(event.key) ? () => this.seek(this.end * Number(event.key) / 10) : acts[event.key];
      if (!act) return;
      event.preventDefault();
      if (typeof act === "string") this.do(act);
      else act();
    }

    fullscreen() {
      if (document.fullscreenElement) document.exitFullscreen();
      else if (this.player.requestFullscreen) this.player.requestFullscreen().catch(() => {});
      else this.video.webkitEnterFullscreen?.(); // an iPhone's own
    }

    theatre(wide) {
      this.player.closest(".watch")?.classList.toggle("theatre", wide);
      this.button("theatre").classList.toggle("on", wide);
      remember("theatre", wide ? "yes" : "no");
    }

    async copyMoment() {
      const url = new URL(location.href);
      url.hash = `t=${Math.floor(this.video.currentTime)}`;
      history.replaceState(history.state, "", url);
      await navigator.clipboard?.writeText(url.href).catch(() => {});
      this.player.say(this.button("link").dataset.said);
      setTimeout(() => this.player.say(""), 2500);
    }

    openClip() {
      const form = this.find(".pc-clip-form");
      form.hidden = !form.hidden;
      const now = this.video.currentTime;
      this.clip = form.hidden ? null : { from: Math.max(0, now - 30), to: Math.max(now, Math.min(30, this.end)) };
      this.showClip();
    }

    showClip() {
      if (this.clip) {
        const { from, to } = this.clip;
        this.find(".pc-from").textContent = clock(from);
        this.find(".pc-to").textContent = clock(to);
        const addresses = to > from ? window.WentlivePlayer.clips(this.base, from, to) : [];
        const links = this.find(".pc-clip-links");
        const { word, partWord } = links.dataset;
        links.replaceChildren(...addresses.map((address, number) => {
          const link = document.createElement("a");
          link.href = address;
          link.download = "";
          link.textContent = addresses.length > 1 ? `${word}, ${partWord} ${number + 1}` : word;
          return link;
        }));
        const note = this.find(".pc-clip-note");
        note.hidden = addresses.length > 0;
        note.textContent = note.dataset.none;
      }
      this.refresh();
    }

    momentAt(event) {
      const box = this.slider.getBoundingClientRect();
      return Math.min(Math.max((event.clientX - box.left) / box.width, 0), 1) * this.end;
    }

    hover(moment) {
      const place = this.find(".pc-hover");
      const picture = this.find(".pc-picture");
      const found = this.pictures && this.own ? this.pictures.at(moment) : null;
      picture.hidden = !found;
      if (found) {
        const [x, y, width, height] = found.area;
        Object.assign(picture.style, {
          width: `${width}px`, height: `${height}px`, backgroundImage: `url("${found.image}")`, backgroundPosition: `-${x}px -${y}px`,
        });
      }
      this.find(".pc-hover-time").textContent = clock(moment);
      place.hidden = false;
      const whole = this.slider.clientWidth;
      const half = place.offsetWidth / 2;
      place.style.left = `${Math.min(Math.max(moment / (this.end || 1) * whole, half), whole - half)}px`;
    }

    wake() {
      this.player.classList.remove("idle");
      clearTimeout(this.idle);
      this.idle = setTimeout(() => { if (!this.video.paused && !this.clip) this.player.classList.add("idle"); }, IDLE_MS);
    }

    refresh() {
      const { video, end } = this;
      const now = video.currentTime;
      const width = (moment) => String(end ? Math.min(moment / end, 1) * SCALE : 0);
      this.slider.max = end || 1;
      this.slider.value = now;
      this.slider.setAttribute("aria-valuetext", `${clock(now)} / ${clock(end)}`);
      this.find(".pc-played").setAttribute("width", width(now));
      let buffered = 0;
      for (let n = 0; n < video.buffered.length; n++) if (video.buffered.start(n) <= now) buffered = video.buffered.end(n);
      this.find(".pc-buffered").setAttribute("width", width(buffered));
      const range = this.find(".pc-range");
      range.setAttribute("x", this.clip ? width(this.clip.from) : "0");
      range.setAttribute("width", this.clip && this.clip.to > this.clip.from ? width(this.clip.to - this.clip.from) : "0");
      this.find(".pc-now").textContent = clock(now);
      this.find(".pc-end").textContent = clock(end);
      this.find(".pc-volume").value = video.muted ? 0 : video.volume;
      this.find(".pc-speed").value = String(video.playbackRate);
      this.toggle("play", !video.paused);
      this.toggle("mute", video.muted || video.volume === 0);
      if (video.paused) this.player.classList.remove("idle");
      const live = this.button("live");
      live.hidden = !this.player.live;
      live.classList.toggle("at-edge", end - now < EDGE_SECONDS + 6);
    }

    toggle(name, on) {
      const button = this.button(name);
      button.classList.toggle("on", on);
      button.setAttribute("aria-label", on ? button.dataset.on : button.dataset.off);
    }
  }

  window.WentlivePlayer.Controls = Controls;
  window.WentlivePlayer.EDGE_SECONDS = EDGE_SECONDS;
  window.WentlivePlayer.remembered = remembered;
  window.WentlivePlayer.remember = remember;
})();
