// What the player shows of a recording's parts: the small picture of a moment, and the clips that can be cut.
(() => {
  const AGAIN_MS = 30000; // a growing part's storyboard grows with it

  // Read anew each time: the timeline beside the player is kept fresh by the page's stream.
  const parts = () => [...document.querySelectorAll("#recording-timeline [data-part]")].map((element) => ({
    name: element.dataset.part,
    start: Number(element.dataset.start),
    end: Number(element.dataset.start) + Number(element.dataset.duration),
    pictures: "pictures" in element.dataset,
  }));

  const seconds = (text) => text.split(":").reduce((sum, piece) => sum * 60 + Number(piece), 0);

  const readCues = (text) => {
    const cues = [];
    const pattern = /([\d:.]+) --> ([\d:.]+)[^\n]*\n[^#\n]*#xywh=(\d+),(\d+),(\d+),(\d+)/g;
    for (const [, start, end, ...area] of text.matchAll(pattern)) {
      cues.push({ start: seconds(start), end: seconds(end), area: area.map(Number) });
    }
    return cues;
  };

  class Pictures {
    constructor(base) {
      this.base = base;
      this.known = new Map();
    }

    // The picture of a moment, once it is there; null where there is none (yet).
    at(moment) {
      const part = parts().find((one) => one.pictures && moment >= one.start && moment < one.end + 1);
      if (!part) return null;
      const cues = this.cuesOf(part.name);
      const inPart = moment - part.start;
      const cue = cues.find((one) => inPart < one.end) || cues.at(-1);
      return cue ? { area: cue.area, image: `${this.base}/parts/${part.name}/storyboard.jpg?n=${cues.length}` } : null;
    }

    cuesOf(name) {
      let entry = this.known.get(name);
      if (!entry) this.known.set(name, entry = { cues: [], askedAt: -Infinity });
      if (performance.now() - entry.askedAt > AGAIN_MS) {
        entry.askedAt = performance.now();
        fetch(`${this.base}/parts/${name}/storyboard.vtt`)
          .then((answer) => (answer.ok ? answer.text() : ""))
          .then((text) => { if (text) entry.cues = readCues(text); })
          .catch(() => {}); // without pictures one sees the time
      }
      return entry.cues;
    }
  }

  // A range of the recording as it plays, as ranges of its parts: each is a file of its own.
  const clips = (base, from, to) => parts()
    .map((part) => ({ name: part.name, from: Math.max(from, part.start) - part.start, to: Math.min(to, part.end) - part.start }))
    .filter((piece) => piece.to - piece.from > 0.05)
    .map((piece) => `${base}/parts/${piece.name}/clip.mp4?start=${piece.from.toFixed(2)}&end=${piece.to.toFixed(2)}`);

  window.WentlivePlayer = { Pictures, clips };
})();
