import { Button, Group, Modal, Progress, Radio, Stack, Text, Textarea, Title } from '@mantine/core';
import { useId, useState } from 'react';

import { words, type Status } from '../../parts/badges';
import { done } from '../../parts/notify';
import { ProblemAlert } from '../../parts/states';
import { useTriage, type Finding } from './data';
import classes from './findings.module.css';
import { choicesFor, meaning, reasonError, refusals, type Choice, type Tally } from './triage';
import { counted, resourceWords } from './wording';

interface Props {
  findings: Pick<Finding, 'id' | 'status' | 'title' | 'resource'>[];
  first?: Choice; // chosen at the start
  onClose: () => void;
  onChanged?: () => void;
}

/** StatusDialog changes the status of one finding or of many, with a reason, and tells for each what became of it. */
export function StatusDialog({ findings, first, onClose, onChanged }: Props) {
  const triage = useTriage();
  const from: Status[] = findings.map((f) => f.status);
  const offered = choicesFor(from);
  const [status, setStatus] = useState<Choice | undefined>(first && offered.includes(first) ? first : undefined);
  const [reason, setReason] = useState('');
  const [tried, setTried] = useState(false);
  const [progress, setProgress] = useState<number>();
  const [error, setError] = useState<unknown>();
  const [result, setResult] = useState<Tally>();
  const many = findings.length > 1;
  const busy = progress !== undefined;
  const wrong = reasonError(status, reason);
  const needs = status === 'accepted_risk' || status === 'false_positive';
  const statusName = useId();

  const save = async () => {
    setTried(true);
    if (!status || wrong || busy) return;
    setError(undefined);
    setProgress(0);
    try {
      if (!many) {
        await triage.one(findings[0]!, status, reason.trim());
        done(`Status is now: ${words(status).toLowerCase()}.`);
        onChanged?.();
        onClose();
        return;
      }
      const out = await triage.many(findings.map((f) => f.id), status, reason.trim(), setProgress);
      setError(out.error);
      setResult(out.tally);
      onChanged?.();
    } catch (e) {
      setError(e);
    } finally {
      setProgress(undefined);
    }
  };

  return (
    <Modal opened onClose={busy ? () => {} : onClose} title={many ? `Change the status of ${counted(findings.length, 'finding')}` : 'Change the status'} size="lg">
      {result ? (
        <Result tally={result} error={error} findings={findings} status={status!} onClose={onClose} />
      ) : offered.length === 0 ? (
        <Stack>
          <Text>
            {many ? 'These findings were' : 'This finding was'} closed by a re-check that found the cause gone. Nobody can change that by hand; it opens again by itself if the cause comes back.
          </Text>
          <Group justify="flex-end">
            <Button variant="default" onClick={onClose}>
              Close
            </Button>
          </Group>
        </Stack>
      ) : (
        <form
          noValidate
          onSubmit={(e) => {
            e.preventDefault();
            void save();
          }}
        >
          <Stack>
            {!many && (
              <Text size="sm" c="dimmed" className="ob-break">
                {findings[0]!.title}, {resourceWords(findings[0]!.resource)}
              </Text>
            )}
            <Radio.Group name={statusName} label="New status" value={status ?? null} onChange={(v) => setStatus(v as Choice)} error={tried && !status ? 'Choose one.' : undefined}>
              <Stack gap={8} mt={8}>
                {offered.map((c) => (
                  <Radio key={c} value={c} label={words(c)} description={meaning[c]} data-autofocus={c === (status ?? offered[0]) || undefined} />
                ))}
              </Stack>
            </Radio.Group>
            {status && many && refusals(from, status) > 0 && (
              <Text size="sm" className={classes.notice}>
                {counted(refusals(from, status), 'finding')} cannot change so and will stay as {refusals(from, status) === 1 ? 'it is' : 'they are'}.
              </Text>
            )}
            <Textarea
              label="Reason"
              description={needs ? 'Kept in the history. This status needs one. Never put the found value here.' : 'Kept in the history. Never put the found value here.'}
              required={needs}
              autosize
              minRows={2}
              maxRows={8}
              value={reason}
              onChange={(e) => setReason(e.currentTarget.value)}
              onKeyDown={(e) => {
                if (e.key === 'Enter' && (e.ctrlKey || e.metaKey)) void save();
              }}
              error={tried || reason.length > 900 ? wrong : undefined}
            />
            {error !== undefined && <ProblemAlert error={error} />}
            {many && busy && <Progress value={(progress / findings.length) * 100} animated aria-label={`${progress} of ${findings.length} changed`} />}
            <Group justify="flex-end">
              <Button variant="default" onClick={onClose} disabled={busy}>
                Cancel
              </Button>
              <Button type="submit" loading={busy}>
                {many ? `Change ${counted(findings.length, 'finding')}` : 'Change status'}
              </Button>
            </Group>
          </Stack>
        </form>
      )}
    </Modal>
  );
}

function Result({ tally, error, findings, status, onClose }: { tally: Tally; error: unknown; findings: Props['findings']; status: Choice; onClose: () => void }) {
  const told = tally.changed.length + tally.same.length + [...tally.refused.values()].reduce((n, ids) => n + ids.length, 0);
  const name = new Map(findings.map((f) => [f.id, `${f.title}, ${resourceWords(f.resource)}`]));
  const most = 50;
  return (
    <Stack role="status" aria-label="Result">
      <ul className={classes.result}>
        <li>
          <strong className="ob-number">{tally.changed.length.toLocaleString('en')}</strong> changed to {words(status).toLowerCase()}
        </li>
        {tally.same.length > 0 && (
          <li>
            <strong className="ob-number">{tally.same.length.toLocaleString('en')}</strong> had this status already
          </li>
        )}
        {error !== undefined && (
          <li>
            <strong className="ob-number">{(findings.length - told).toLocaleString('en')}</strong> not tried, because a call failed
          </li>
        )}
      </ul>
      {error !== undefined && <ProblemAlert error={error} />}
      {[...tally.refused].map(([why, ids]) => (
        <section key={why}>
          <Title order={3}>{counted(ids.length, 'finding')} refused</Title>
          <Text size="sm" mb={4}>
            {why}
          </Text>
          <details>
            <summary>Which</summary>
            <ul className={classes.result}>
              {ids.slice(0, most).map((id) => (
                <li key={id} className="ob-break">
                  {name.get(id) ?? id}
                </li>
              ))}
              {ids.length > most && <li>and {(ids.length - most).toLocaleString('en')} more</li>}
            </ul>
          </details>
        </section>
      ))}
      <Group justify="flex-end">
        <Button onClick={onClose} data-autofocus>
          Close
        </Button>
      </Group>
    </Stack>
  );
}
