// What the pages of destinations work out from what the API says. Pure, and tested as such.
import type { Schemas } from '../../api/client';
import type { Tone } from '../../parts/badges';

export type Destination = Schemas['Destination'];
export type Delivery = Schemas['Delivery'];

/** health is the one word and tone that a destination shows. */
export function health(d: Destination): { tone: Tone; word: string } {
  switch (d.state) {
    case 'failing':
      return { tone: 'critical', word: 'Failing' };
    case 'disabled':
      return { tone: 'info', word: 'Disabled' };
    default:
      return { tone: 'good', word: 'Active' };
  }
}

/** hostOf is the host of an address; the address itself if it is none. */
export function hostOf(url: string): string {
  try {
    return new URL(url).host || url;
  } catch {
    return url;
  }
}

export const deliveryTone: Record<string, Tone> = { delivered: 'good', queued: 'low', parked: 'critical' };

const bytesOf = { least: 24, most: 64 };

/** keyProblem says why a text is no signing key; undefined if it is one. The server judges by the same rule. */
export function keyProblem(key: string): string | undefined {
  const wrong = `A signing key is whsec_ and the base64 of ${bytesOf.least} to ${bytesOf.most} bytes.`;
  if (!key.startsWith('whsec_')) return wrong;
  try {
    const n = atob(key.slice(6)).length;
    return n >= bytesOf.least && n <= bytesOf.most ? undefined : wrong;
  } catch {
    return wrong;
  }
}

/** makeKey makes a signing key of 32 random bytes. */
export function makeKey(): string {
  return `whsec_${btoa(String.fromCharCode(...crypto.getRandomValues(new Uint8Array(32))))}`;
}

/** pretty lays JSON out in lines; what is none stays as it is. */
export function pretty(body: string): string {
  try {
    return JSON.stringify(JSON.parse(body), null, 2);
  } catch {
    return body;
  }
}

export const filters = ['severity:critical,high', 'kind:content', 'status:open severity:critical', 'connector:claude'];

/** snippets verify a call, each with the Standard Webhooks library of its language. */
export const snippets = [
  {
    id: 'node',
    label: 'Node.js',
    code: `import { Webhook } from 'standardwebhooks';

const webhook = new Webhook(process.env.OUTBAND_SIGNING_KEY);

// body: the bytes as they came, before any JSON parser.
// It throws if the signature is wrong or old.
const event = webhook.verify(body, request.headers);`,
  },
  {
    id: 'python',
    label: 'Python',
    code: `import os
from standardwebhooks import Webhook

webhook = Webhook(os.environ["OUTBAND_SIGNING_KEY"])

# body: the bytes as they came, before any JSON parser.
# It raises if the signature is wrong or old.
event = webhook.verify(body, headers)`,
  },
  {
    id: 'go',
    label: 'Go',
    code: `import standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

webhook, err := standardwebhooks.NewWebhook(os.Getenv("OUTBAND_SIGNING_KEY"))

// body: the bytes as they came, before any JSON parser.
err = webhook.Verify(body, request.Header) // wrong or old: an error`,
  },
];
