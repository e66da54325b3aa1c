// What pages do by themselves: clocks that tick, notices that go, links that are copied. Swapping is htmx's.
(() => {
  const clock = (seconds) => {
    const whole = Math.max(0, Math.floor(seconds));
    const two = (n) => String(n).padStart(2, "0");
    const hours = Math.floor(whole / 3600);
    const minutes = Math.floor(whole / 60) % 60;
    return hours ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
  };

  const ago = (moment) => {
    const seconds = (Date.now() - moment) / 1000;
    if (seconds < 60) return "just now";
    if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
    if (seconds < 86400) return `${Math.floor(seconds / 3600)} h ago`;
    return null; // the server's words hold for longer than a page stays open
  };

  const tick = () => {
    for (const element of document.querySelectorAll("[data-since]")) {
      const text = clock((Date.now() - Date.parse(element.dataset.since)) / 1000);
      if (element.textContent !== text) element.textContent = text;
    }
    for (const element of document.querySelectorAll("time[data-ago]")) {
      const text = ago(Date.parse(element.dateTime));
      if (text && element.textContent !== text) element.textContent = text;
    }
  };
  tick();
  setInterval(tick, 1000);
  document.addEventListener("htmx:after:swap", tick);

  const toasts = document.getElementById("toasts");
  new MutationObserver((records) => {
    for (const record of records) {
      for (const node of record.addedNodes) {
        if (node.nodeType === 1 && !node.classList.contains("bad")) setTimeout(() => node.remove(), 5000);
      }
    }
  }).observe(toasts, { childList: true });
  toasts.addEventListener("click", (event) => event.target.closest(".toast")?.remove());

  const say = (text, bad = false) => {
    const toast = document.createElement("p");
    toast.className = bad ? "toast bad" : "toast";
    toast.textContent = text;
    toasts.append(toast);
  };

  const copyLink = async (address) => {
    const response = await fetch(address, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ lifetime_seconds: 3600, of: "video" }),
    });
    const answer = await response.json();
    if (!response.ok) throw new Error(answer.detail);
    await navigator.clipboard.writeText(answer.url);
    say("Link copied. Anybody can open it for one hour.");
  };

  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("[data-copy-link]");
    if (button) copyLink(button.dataset.copyLink).catch((error) => say(`The link was not copied: ${error.message}`, true));
  });

  // Pictures live elsewhere and may be gone; what stands behind them is meant to be seen then.
  document.addEventListener("error", (event) => event.target.tagName === "IMG" && event.target.classList.add("broken"), true);

  // A stream that is refused means that the session is over.
  document.addEventListener("htmx:sse:error", (event) => event.detail?.status === 401 && location.reload());
  document.addEventListener("htmx:error", (event) => {
    if (event.detail?.error?.name !== "AbortError") say("The server does not answer. Trying again helps once it is back.", true);
  });
})();
