// Times grow old, lists keep still under a reader, and the address names what the page shows.
() => {
  const page = document.getElementById('fin-page');
  if (!page || page.dataset.isWatched) return;
  page.dataset.isWatched = 'yes';
  const WEEK = 7 * 86400;
  const ages = new Intl.RelativeTimeFormat(navigator.language, {style: 'narrow', numeric: 'auto'});
  const units = [['day', 86400], ['hour', 3600], ['minute', 60], ['second', 1]];

  function age() {
    const shown = Date.parse(page.querySelector('[data-now]')?.dataset.now) || Date.now();
    for (const time of page.querySelectorAll('time[datetime]')) {
      const now = 'wall' in time.dataset ? Date.now() : shown;
      const ahead = (Date.parse(time.dateTime) - now) / 1000, seconds = Math.min(0, ahead);
      const [unit, size] = units.find(([, size]) => -seconds >= size) ?? units[3];
      time.dataset.exact ??= time.textContent;
      const text = seconds < -WEEK || ahead > 60 ? time.dataset.exact : ages.format(Math.trunc(seconds / size) || 0, unit);
      if (time.textContent !== text) time.textContent = text;
    }
  }

  // Where each list stands: the row at its top edge, how far below the edge it is, and which row has the focus.
  const places = new Map();
  const rows = (list) => [...list.querySelectorAll('[data-key]')];
  const edge = (list) => list.getBoundingClientRect().top + (list.querySelector('h4')?.offsetHeight ?? 0);
  function note(list) {
    const top = rows(list).find((row) => row.getBoundingClientRect().bottom > edge(list) + 1);
    if (list.scrollTop < 1) delete list.dataset.fresh;
    places.set(list, {key: top?.dataset.key, below: top ? top.getBoundingClientRect().top - edge(list) : 0});
  }
  function keepStill(list) {
    const place = places.get(list);
    const top = rows(list).find((row) => row.dataset.key === place?.key);
    const isRead = list.scrollTop > 0 || list.matches(':hover') || list.matches(':focus-within');
    if (top && isRead) {
      list.scrollTop += top.getBoundingClientRect().top - edge(list) - place.below;
      const above = rows(list).indexOf(top);
      if (list.scrollTop > 0 && list.dataset.first !== rows(list)[0].dataset.key) list.dataset.fresh = 'yes';
      list.querySelector('.fin-more')?.setAttribute('data-count', above);
    }
    if (list.dataset.focused && document.activeElement === document.body)
      rows(list).find((row) => row.dataset.key === list.dataset.focused)?.focus({preventScroll: true});
    if (list.scrollTop < 1) list.dataset.first = rows(list)[0]?.dataset.key ?? '';
    note(list);
  }

  function name() {
    const shown = JSON.parse(page.querySelector('[data-shows]')?.dataset.shows ?? '{}');
    const address = new URL(location.href);
    for (const [key, value] of Object.entries(shown))
      value ? address.searchParams.set(key, value) : address.searchParams.delete(key);
    if (address.href !== location.href) history.replaceState(history.state, '', address);
  }

  for (const list of page.querySelectorAll('.block.fin-list')) {
    list.addEventListener('scroll', () => note(list), {passive: true});
    list.addEventListener('focusin', (event) => { list.dataset.focused = event.target.dataset.key ?? ''; });
    list.addEventListener('focusout', (event) => { if (event.relatedTarget) list.dataset.focused = ''; });
    new MutationObserver(() => keepStill(list)).observe(list, {childList: true, subtree: true});
  }
  // j and k read the next and the previous alert, e acknowledges it; to who is typing they are letters.
  document.addEventListener('keydown', (event) => {
    const typing = event.target.closest('input, textarea, select, [contenteditable], [role="listbox"]');
    if (typing || event.ctrlKey || event.metaKey || event.altKey || !page.isConnected) return;
    if (event.key === 'e') page.querySelector('#fin-ack:not([disabled])')?.click();
    const alerts = rows(page.querySelector('#fin-alerts'));
    const read = alerts.findIndex((row) => row.classList.contains('fin-here'));
    alerts[{j: read + 1, k: read - 1}[event.key]]?.click();
  });
  page.querySelector('#fin-alerts').addEventListener('click', ({target, currentTarget}) => {
    const chosen = target.closest('.fin-row');  // at once, so that the next key goes on from here
    for (const row of chosen ? rows(currentTarget) : []) row.classList.toggle('fin-here', row === chosen);
  });

  new MutationObserver(() => { age(); name(); }).observe(page, {childList: true, subtree: true});
  setInterval(age, 1000);
  age();
}
