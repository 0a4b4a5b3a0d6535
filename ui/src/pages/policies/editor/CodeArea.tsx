import { useImperativeHandle, useRef, type Ref } from 'react';

import classes from './editor.module.css';
import { offsetOf } from './text';

export interface Code {
  /** goTo puts the cursor at a line and column, and shows it. */
  goTo: (line: number, column: number) => void;
}

/** CodeArea is a plain text field for code, with the numbers of its lines beside it; those of wrong lines are marked. */
export function CodeArea({ value, onChange, wrong, ref }: { value: string; onChange: (text: string) => void; wrong: ReadonlySet<number>; ref: Ref<Code> }) {
  const text = useRef<HTMLTextAreaElement>(null);
  const gutter = useRef<HTMLDivElement>(null);
  const lines = value.split('\n').length;
  useImperativeHandle(ref, () => ({
    goTo: (line, column) => {
      const area = text.current;
      if (!area) return;
      const at = offsetOf(value, line, column);
      const end = value.indexOf('\n', at);
      area.focus();
      area.setSelectionRange(at, end < 0 ? value.length : end);
      area.scrollTop = Math.max((area.scrollHeight / lines) * (line - 4), 0);
    },
  }));
  return (
    <div className={classes.code}>
      <div className={classes.gutter} ref={gutter} aria-hidden="true">
        {Array.from({ length: lines }, (_, i) => (
          <div key={i} data-wrong={wrong.has(i + 1) || undefined}>
            {i + 1}
          </div>
        ))}
      </div>
      <textarea
        ref={text}
        className={classes.text}
        aria-label="Policy (YAML)"
        aria-invalid={wrong.size > 0}
        spellCheck={false}
        autoCapitalize="off"
        autoCorrect="off"
        wrap="off"
        value={value}
        onChange={(e) => onChange(e.currentTarget.value)}
        onScroll={(e) => {
          if (gutter.current) gutter.current.scrollTop = e.currentTarget.scrollTop;
        }}
      />
    </div>
  );
}
