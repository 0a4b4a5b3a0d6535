import { useEffect, useRef } from 'react';

import { typing } from '../../shell/keys';

export interface Actions {
  move: (by: 1 | -1) => void;
  open: () => void;
  close: () => boolean; // whether there was something to close
  leave: () => void; // a field, for the list
  select: () => void;
  search: () => void;
  acknowledge: () => void;
  status: () => void;
}

/** elsewhere reports whether a key belongs to a dialog, a menu or a popover. The drawer with a finding is none of them: j and k go on in it. */
export function elsewhere(target: EventTarget | null): boolean {
  const box = target instanceof Element ? target.closest('[role="dialog"], [role="menu"], [role="listbox"]') : null;
  if (box && !box.hasAttribute('data-finding-drawer')) return true;
  return document.querySelector('[role="dialog"][aria-modal="true"]:not([data-finding-drawer])') !== null;
}

/** useKeys are the keys of the findings page: j k Enter Esc x / a s. None fires in a field, in a dialog, or with Ctrl, Alt or Cmd. */
export function useKeys(actions: Actions) {
  const now = useRef(actions);
  useEffect(() => {
    now.current = actions;
  });
  useEffect(() => {
    // What is open when the key goes down decides: by the time it has bubbled here, a dialog may have closed itself.
    let taken = false;
    const before = (e: KeyboardEvent) => {
      taken = e.ctrlKey || e.metaKey || e.altKey || elsewhere(e.target) || (typing(e) && e.key !== 'Escape');
    };
    const on = (e: KeyboardEvent) => {
      if (taken || e.defaultPrevented) return;
      const a = now.current;
      const onControl = e.target instanceof Element && e.target.closest('a, button, summary, [role="tab"]') !== null;
      switch (e.key) {
        case 'j':
          a.move(1);
          break;
        case 'k':
          a.move(-1);
          break;
        case 'Enter':
          if (onControl || typing(e)) return;
          a.open();
          break;
        case 'Escape':
          if (e.target instanceof HTMLInputElement && typing(e)) {
            a.leave();
            break;
          }
          if (!a.close()) return;
          break;
        case 'x':
          a.select();
          break;
        case '/':
          a.search();
          break;
        case 'a':
          a.acknowledge();
          break;
        case 's':
          a.status();
          break;
        default:
          return;
      }
      e.preventDefault();
    };
    window.addEventListener('keydown', before, true);
    window.addEventListener('keydown', on);
    return () => {
      window.removeEventListener('keydown', before, true);
      window.removeEventListener('keydown', on);
    };
  }, []);
}
