// The page works without this file. It shows times in the reader's zone and keeps the live parts of the page fresh.
(() => {
  'use strict';

  const everyMs = 2000;
  const seen = new Map(); // id of a live part -> its HTML as the server last sent it

  function localTimes(root) {
    for (const time of root.querySelectorAll('time[datetime]')) {
      const at = new Date(time.dateTime);
      const today = at.toDateString() === new Date().toDateString();
      if ('day' in time.dataset) time.textContent = today ? 'Today' : at.toLocaleDateString(undefined, { weekday: 'long', day: 'numeric', month: 'long' });
      else if ('clock' in time.dataset) time.textContent = at.toLocaleTimeString(undefined, { hour: '2-digit', minute: '2-digit' });
      else time.textContent = today ? at.toLocaleTimeString() : at.toLocaleString();
      time.title = at.toISOString();
    }
  }

  // What someone looks at: the first link of a part that is in sight, and where. At the end of a phone one stays there.
  function placeIn(part) {
    if (part.id === 'screen' && part.scrollHeight - part.scrollTop - part.clientHeight < 40) return { end: true };
    if (part.scrollTop === 0) return {};
    const top = part.getBoundingClientRect().top;
    const link = [...part.querySelectorAll('a[id]')].find((a) => a.getBoundingClientRect().bottom > top);
    return { id: link?.id, from: link?.getBoundingClientRect().top };
  }

  // Puts a fresh part in place of the old one, and the focus and the place back where they were.
  function swap(old, fresh) {
    const focused = old.contains(document.activeElement) ? document.activeElement.id : '';
    const place = placeIn(old);
    localTimes(fresh);
    old.replaceWith(fresh);
    const link = place.id && document.getElementById(place.id);
    if (place.end) fresh.scrollTop = fresh.scrollHeight;
    else if (link) fresh.scrollTop += link.getBoundingClientRect().top - place.from;
    if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
  }

  function announce(before, after) {
    const more = parseInt(after, 10) - parseInt(before, 10);
    if (more > 0) document.getElementById('news').textContent = more === 1 ? '1 new message' : more + ' new messages';
  }

  async function refresh() {
    const answer = await fetch(location.href, { headers: { Accept: 'text/html' } });
    if (!answer.ok) return;
    const page = new DOMParser().parseFromString(await answer.text(), 'text/html');
    const total = document.getElementById('total').textContent;
    for (const fresh of page.querySelectorAll('[data-live]')) {
      const old = document.getElementById(fresh.id);
      if (!old || seen.get(fresh.id) === fresh.outerHTML) continue;
      seen.set(fresh.id, fresh.outerHTML);
      swap(old, document.importNode(fresh, true));
    }
    announce(total, document.getElementById('total').textContent);
  }

  async function watch() {
    if (!document.hidden) {
      try {
        await refresh();
      } catch {
        // The development stack is restarting: the next round finds it again.
      }
    }
    setTimeout(watch, everyMs);
  }

  for (const part of document.querySelectorAll('[data-live]')) seen.set(part.id, part.outerHTML);
  localTimes(document);
  document.getElementById('message')?.focus({ preventScroll: true });
  // A phone shows its newest message, or the one that was asked for.
  const screen = document.getElementById('screen'), opened = document.getElementById('opened');
  if (screen) screen.scrollTop = opened?.nextElementSibling ? opened.offsetTop - screen.offsetTop - 60 : screen.scrollHeight;
  setTimeout(watch, everyMs);
})();
