import { useNavigate } from '@tanstack/react-router';
import { useEffect, useRef } from 'react';

import { places } from './Shell';

/** typing reports whether a key belongs to a field or a dialog, so that no shortcut takes it. */
export function typing(e: KeyboardEvent): boolean {
  const t = e.target;
  if (!(t instanceof HTMLElement)) return false;
  return t.isContentEditable || t instanceof HTMLSelectElement || t instanceof HTMLTextAreaElement || (t instanceof HTMLInputElement && !['checkbox', 'radio', 'button'].includes(t.type));
}

/** inDialog reports whether a modal dialog is open over the page. */
export function inDialog(): boolean {
  return document.querySelector('[role="dialog"][aria-modal="true"]') !== null;
}

const goFor = 1200; // ms that g waits for the letter after it

/** useShortcuts are the keys that work on every page: ? help, g and a letter for a page, Ctrl or Cmd and K for the palette. */
export function useShortcuts({ help, palette }: { help: () => void; palette: () => void }) {
  const navigate = useNavigate();
  const g = useRef(0);
  useEffect(() => {
    const on = (e: KeyboardEvent) => {
      if ((e.ctrlKey || e.metaKey) && !e.altKey && e.key.toLowerCase() === 'k') {
        e.preventDefault();
        palette();
        return;
      }
      if (e.ctrlKey || e.metaKey || e.altKey || typing(e) || inDialog()) return;
      if (e.key === '?') {
        e.preventDefault();
        help();
        return;
      }
      if (e.key === 'g') {
        g.current = Date.now();
        return;
      }
      if (Date.now() - g.current < goFor) {
        g.current = 0;
        const to = places.flatMap((p) => p.items).find((i) => i.key === e.key)?.to;
        if (to) {
          e.preventDefault();
          e.stopImmediatePropagation();
          void navigate({ to });
        }
      }
    };
    // In the capture phase, so that the letter after g does nothing else on the page.
    window.addEventListener('keydown', on, true);
    return () => window.removeEventListener('keydown', on, true);
  }, [navigate, help, palette]);
}
