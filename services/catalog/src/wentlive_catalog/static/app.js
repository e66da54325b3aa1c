// What pages do by themselves: clocks that tick, notices that go, links that are copied. Swapping is htmx's.
(() => {
  // A browser's clock may be minutes off; moments are told from the server's.
  const ahead = Date.parse(document.body.dataset.now) - Date.now();
  const now = () => Date.now() + ahead;

  const clock = (seconds) => {
    const whole = Math.max(0, Math.floor(seconds));
    const two = (n) => String(n).padStart(2, "0");
    const hours = Math.floor(whole / 3600);
    const minutes = Math.floor(whole / 60) % 60;
    return hours ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
  };

  const ago = (moment) => {
    const seconds = (now() - moment) / 1000;
    if (seconds < 60) return "just now";
    if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
    if (seconds < 86400) return `${Math.floor(seconds / 3600)} h ago`;
    return null; // the server's words hold for longer than a page stays open
  };

  // As `span` in words.py.
  const span = (seconds) => {
    const whole = Math.max(1, Math.round(seconds));
    if (whole < 60) return `${whole} s`;
    if (whole < 3600) return `${Math.round(whole / 60)} min`;
    if (whole < 86400) return `${Math.round(whole / 3600)} h`;
    const days = Math.round(whole / 86400);
    return days > 1 ? `${days} days` : "1 day";
  };

  const since = (moment, words) => words.replace("{}", span((now() - moment) / 1000));

  const until = (moment, words, due) => {
    const seconds = (moment - now()) / 1000;
    return seconds >= 1 ? words.replace("{}", span(seconds)) : due;
  };

  const timeOfDay = (moment) => {
    const date = new Date(moment);
    const day = date.toDateString() === new Date(now()).toDateString() ? {} : { day: "numeric", month: "short" };
    return date.toLocaleString("en-GB", { ...day, hour: "2-digit", minute: "2-digit" });
  };

  const told = {
    "[data-running]": (element) => clock((now() - Date.parse(element.dataset.running)) / 1000),
    "time[data-ago]": (element) => ago(Date.parse(element.dateTime)),
    "time[data-since]": (element) => since(Date.parse(element.dateTime), element.dataset.since),
    "time[data-until]": (element) => until(Date.parse(element.dateTime), element.dataset.until, element.dataset.due),
    "time[data-clock]": (element) => timeOfDay(Date.parse(element.dateTime)),
  };
  const tick = () => {
    for (const [selector, text] of Object.entries(told)) {
      for (const element of document.querySelectorAll(selector)) {
        const words = text(element);
        if (words && element.textContent !== words) element.textContent = words;
      }
    }
  };
  tick();
  setInterval(tick, 1000);
  document.addEventListener("htmx:after:swap", tick);

  const toasts = document.getElementById("toasts");
  // What can be undone stays a while longer, and does not come back when the page is loaded again.
  for (const toast of toasts.querySelectorAll("[data-long]")) {
    if (!toast.classList.contains("bad")) setTimeout(() => toast.remove(), 15000);
    const address = new URL(location.href);
    for (const name of ["done", "refused", "recording"]) address.searchParams.delete(name);
    history.replaceState(null, "", address);
  }
  new MutationObserver((records) => {
    for (const record of records) {
      for (const node of record.addedNodes) {
        if (node.nodeType === 1 && !node.classList.contains("bad")) setTimeout(() => node.remove(), 5000);
      }
    }
  }).observe(toasts, { childList: true });
  toasts.addEventListener("click", (event) => {
    if (!event.target.closest("button")) event.target.closest(".toast")?.remove();
  });

  const say = (text, bad = false) => {
    const toast = document.createElement("p");
    toast.className = bad ? "toast bad" : "toast";
    toast.textContent = text;
    toasts.append(toast);
  };

  const copyLink = async (button) => {
    const response = await fetch(button.dataset.copyLink, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ lifetime_seconds: 86400, part: button.dataset.part || null }),
    });
    const answer = await response.json();
    if (!response.ok) throw new Error(answer.detail);
    await navigator.clipboard.writeText(answer.url);
    say("Link copied. Anybody who has it can watch this for one day.");
  };

  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("[data-copy-link]");
    if (button) copyLink(button).catch((error) => say(`The link was not copied: ${error.message}`, true));
  });

  // Asked before what cannot be taken lightly; without scripts, undoing has to do.
  const confirming = document.getElementById("confirm");
  const asked = (question) => new Promise((resolve) => {
    confirming.querySelector("p").textContent = question;
    confirming.returnValue = "no";
    confirming.addEventListener("close", () => resolve(confirming.returnValue === "yes"), { once: true });
    confirming.showModal();
  });
  document.addEventListener("submit", async (event) => {
    const button = event.submitter;
    if (!button?.dataset.confirm || button.dataset.sure) return;
    event.preventDefault();
    if (!(await asked(button.dataset.confirm))) return;
    button.dataset.sure = "yes";
    event.target.requestSubmit(button);
    delete button.dataset.sure;
  });

  // Filters apply by themselves; without scripts there is the button.
  document.addEventListener("change", (event) => {
    if (event.target.closest("[data-submit]")) event.target.form.requestSubmit();
    if (event.target.closest(".choose")) count();
  });
  const count = () => {
    const told = document.querySelector("[data-chosen]");
    const chosen = document.querySelectorAll(".choose input:checked").length;
    if (told) told.textContent = `${chosen} selected`;
  };
  document.addEventListener("reset", () => setTimeout(count));

  const PLACES = { l: "/", b: "/library", c: "/creators", a: "/activity", s: "/system", e: "/settings" };
  const keys = document.getElementById("keys");
  document.querySelector("[data-keys]")?.addEventListener("click", () => keys.showModal());
  const step = (by) => {
    const links = [...document.querySelectorAll(".grid .card > a")];
    const at = links.indexOf(document.activeElement?.closest(".card")?.querySelector(":scope > a"));
    links[Math.min(links.length - 1, Math.max(0, at + by))]?.focus();
  };
  const COMMANDS = {
    "?": () => keys.showModal(),
    "/": () => { const field = document.querySelector("[data-search]"); field ? field.focus() : location.assign("/library#search"); },
    j: () => step(1),
    k: () => step(-1),
    x: () => document.activeElement?.closest(".card")?.querySelector(".choose input")?.click(),
    d: () => document.querySelector("[data-theme-toggle]")?.click(),
  };
  let going = 0;
  document.addEventListener("keydown", (event) => {
    const busy = event.target.closest("input, textarea, select, dialog, [contenteditable], live-player");
    if (!keys || busy || event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if (Date.now() - going < 2500 && PLACES[event.key]) return location.assign(PLACES[event.key]);
    going = event.key === "g" ? Date.now() : 0;
    // Where there is no grid, its keys are the player's.
    if ("jkx".includes(event.key) && !document.querySelector(".grid .card")) return;
    if (COMMANDS[event.key]) {
      event.preventDefault();
      COMMANDS[event.key]();
    }
  });
  if (location.hash === "#search") document.querySelector("[data-search]")?.focus();

  // Pictures live elsewhere and may be gone; what stands behind them is meant to be seen then.
  document.addEventListener("error", (event) => event.target.tagName === "IMG" && event.target.classList.add("broken"), true);

  // A stream that is refused means that the session is over.
  document.addEventListener("htmx:sse:error", (event) => event.detail?.status === 401 && location.reload());
  document.addEventListener("htmx:error", (event) => {
    if (event.detail?.error?.name !== "AbortError") say("The server does not answer. Trying again helps once it is back.", true);
  });
})();
