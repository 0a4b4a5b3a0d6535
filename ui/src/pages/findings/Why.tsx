import { Anchor, Group, Stack, Table, Text, Title } from '@mantine/core';
import { Fragment } from 'react';

import type { Schemas } from '../../api/client';
import { SeverityBadge, Tag, words } from '../../parts/badges';
import { ProblemAlert, Rows } from '../../parts/states';
import { useNames, type Finding } from './data';
import { Facts } from './Drawer';
import classes from './drawer.module.css';
import { safeHref, type Names } from './state';
import { confidenceWord, contextWords, guideParts, lookedAt, signed } from './wording';

/** Why tells why a finding was made: the policy, its condition, what matched, and what to do. */
export function Why({ finding: f, names }: { finding: Finding; names: Names }) {
  const { policies, detectors } = useNames();
  if (policies.error) return <ProblemAlert error={policies.error} onRetry={() => void policies.refetch()} />;
  if (detectors.error) return <ProblemAlert error={detectors.error} onRetry={() => void detectors.refetch()} />;
  if (policies.isPending || detectors.isPending) return <Rows n={6} />;
  const policy = policies.data.items.find((p) => p.id === f.policy_id);
  const instances = f.instances ?? [];
  const context = contextWords(instances);
  const href = safeHref(f.resource.url);
  return (
    <>
      {policy?.guide && (
        <section className={classes.section}>
          <Title order={3}>What to do</Title>
          <Text className="ob-break">
            {guideParts(policy.guide).map((text, i) => (
              <Fragment key={i}>
                {i > 0 && (href ? <Anchor href={href} target="_blank" rel="noopener noreferrer" underline="always">the {words(f.resource.kind).toLowerCase()}</Anchor> : `the app of ${names.connector.get(f.connector) ?? f.connector}`)}
                {text}
              </Fragment>
            ))}
          </Text>
        </section>
      )}
      <section className={classes.section}>
        <Title order={3}>The policy</Title>
        {policy ? (
          <Stack gap="sm">
            <Text>{policy.description}</Text>
            <Facts
              items={[
                ['Policy', policy.title],
                ['Id', <code key="id">{policy.id}</code>],
                ['Version', f.policy_version === policy.version ? String(policy.version) : `${f.policy_version} when it was last seen, ${policy.version} now`],
                ['Severity', <SeverityBadge key="s" severity={policy.severity} />],
                ['Mode', words(policy.mode)],
                ['Looks at', lookedAt(policy.on)],
              ]}
            />
            <div>
              <Text size="sm" c="dimmed" mb={4}>
                It makes a finding when this is true (CEL):
              </Text>
              <pre className={classes.code}>{policy.when}</pre>
            </div>
            {f.why && f.why.asked.length > 0 && <Asked why={f.why} current={policy.version} />}
            <Links urls={policy.references} />
          </Stack>
        ) : (
          <Text>
            The policy <code>{f.policy_id}</code> (version {f.policy_version}) is not loaded any more. The finding stays as it was.
          </Text>
        )}
      </section>
      {f.detectors.length > 0 && (
        <section className={classes.section}>
          <Title order={3}>What matched</Title>
          <Stack gap="sm">
            {f.detectors.map((id) => {
              const d = detectors.data.items.find((x) => x.id === id);
              const its = instances.filter((i) => i.detector === id);
              const best = Math.max(0, ...its.map((i) => i.confidence));
              return (
                <article key={id} className={classes.instance}>
                  <Group justify="space-between" gap={8}>
                    <Text fw={600} size="sm">
                      {d?.title ?? id}
                    </Text>
                    {its.some((i) => i.validated) && (
                      <Tag tone="good" dot>
                        Validated
                      </Tag>
                    )}
                  </Group>
                  {d && (
                    <Text size="sm" mt={4}>
                      {d.description}
                    </Text>
                  )}
                  <Text size="sm" c="dimmed" mt={4} className="ob-break">
                    <code>{id}</code>
                    {best > 0 && ` · ${confidenceWord(best).toLowerCase()} confidence (${best.toFixed(2)})`}
                    {d?.validator && ` · checked by ${d.validator}`}
                  </Text>
                  <Confidence instances={its} />
                  <Links urls={d?.references ?? []} />
                </article>
              );
            })}
          </Stack>
        </section>
      )}
      {context.length > 0 && (
        <section className={classes.section}>
          <Title order={3}>Words nearby</Title>
          <Text size="sm" c="dimmed" mb={6}>
            These words of the detectors stand near a match and raise its confidence.
          </Text>
          <Group gap={6}>
            {context.map((w) => (
              <Tag key={w}>{w}</Tag>
            ))}
          </Group>
        </section>
      )}
    </>
  );
}

/** Asked is what the expression of the policy asked for when it made the finding, with the answers. */
function Asked({ why, current }: { why: Schemas['PolicyWhy']; current: number }) {
  return (
    <div>
      <Text size="sm" c="dimmed" mb={4}>
        What it asked for, and the answers{why.policy_version !== current && ` (version ${why.policy_version})`}:
      </Text>
      <Table verticalSpacing={4} aria-label="What the policy asked for">
        <Table.Tbody>
          {why.asked.map((a) => (
            <Table.Tr key={a.name}>
              <Table.Td className="ob-break">
                <code>{a.name}</code>
              </Table.Td>
              <Table.Td ta="right">{a.value}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </div>
  );
}

/** Confidence is how the confidence of the surest instance is made. */
function Confidence({ instances }: { instances: Schemas['Instance'][] }) {
  const best = instances.filter((i) => i.why).sort((a, b) => b.confidence - a.confidence)[0];
  if (!best?.why) return null;
  const { steps, checks, also, encoding, detector_version: version } = best.why;
  return (
    <>
      <Table verticalSpacing={4} mt={6} aria-label="How the confidence is made">
        <Table.Tbody>
          {steps.map((s) => (
            <Table.Tr key={s.step}>
              <Table.Td>{words(s.step)}</Table.Td>
              <Table.Td c="dimmed">{s.note}</Table.Td>
              <Table.Td ta="right" className="ob-number">
                {signed(s.delta)}
              </Table.Td>
            </Table.Tr>
          ))}
          <Table.Tr>
            <Table.Td fw={600}>Confidence</Table.Td>
            <Table.Td c="dimmed">{masked(best)}</Table.Td>
            <Table.Td ta="right" fw={600} className="ob-number">
              {best.confidence.toFixed(2)}
            </Table.Td>
          </Table.Tr>
        </Table.Tbody>
      </Table>
      <Text size="sm" c="dimmed" mt={4} className="ob-break">
        {checks.length > 0 && `Passed: ${checks.join(', ')}. `}
        {encoding.length > 0 && `Read from text in ${encoding.map((code) => code.replace('_', '-')).join(', within it ')}. `}
        {also.length > 0 && `In the same place, and less specific: ${also.join(', ')}. `}
        Detector version <code>{version}</code>.
      </Text>
    </>
  );
}

function masked(i: Schemas['Instance']): string {
  return i.masked ? `of ${i.masked}` : '';
}

function Links({ urls }: { urls: string[] }) {
  const good = urls.flatMap((u) => safeHref(u) ?? []);
  if (good.length === 0) return null;
  return (
    <Stack gap={2} mt={4}>
      {good.map((u) => (
        <Anchor key={u} href={u} target="_blank" rel="noopener noreferrer" size="sm" underline="always" className="ob-break">
          {u}
        </Anchor>
      ))}
    </Stack>
  );
}
