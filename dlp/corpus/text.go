package corpus

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
)

// ordinary words of chats at work, and some that wake the detectors' prefilter without meaning anything.
var ordinary = strings.Fields(`the the the the a a of of of and and to to to in in is it for on with as at by from this that be are was we you they have
has not will would could should please thanks about after before between during meeting budget customer service delivery pipeline deploy cluster
request error summary draft review access user account policy number report quarter revenue margin supplier harbour crane berth cargo schedule
planning forecast estimate feature release branch merge build test failure latency memory cache queue worker retry timeout response header payload
message channel thread document folder spreadsheet slide agenda action owner deadline risk issue change question answer example reason option
decision approach result figure table column value weather morning evening weekend holiday lunch coffee train station office building floor desk
window door garden kitchen music film book story chapter language translation grammar sentence paragraph tone style letter speech talk answer
light water paper stone wood metal glass colour shape size weight length height distance speed energy power price cost discount offer contract
password token secret key session login certificate permission role group team manager director engineer analyst designer candidate interview
training course lesson exercise exam student teacher school university research paper method experiment sample measure average median growth
compare explain describe list write rewrite shorten expand improve check fix find show add remove move copy open close start stop wait send receive
quickly slowly often never always sometimes maybe probably certainly recently already still again together apart instead however therefore because
although while until since unless whether where when what which who whose why how more less most least many few several each every other another`)

var (
	firstNames = strings.Fields("Ada Bram Chloe Dario Elif Femi Greta Hugo Ines Jonas Kaia Lars Mira Nils Olga Pavel Quinn Rosa Sami Tove Uwe Vera Wim Yara Zoe")
	lastNames  = strings.Fields("Ahlberg Brandt Castell Dorsey Eklund Farkas Gerlach Hobbs Ivarsson Jansen Kowal Lindner Moreau Novak Okoye Petrov Quist Rossi Sandoval Tanaka Ulrich Varga Winter")
	components = strings.Fields("billing planner gateway scheduler ingest exporter ledger notifier search auth-proxy berth-map crane-feed reports sessions uploads")
)

func sentence(rng *rand.Rand) string {
	n := 6 + rng.IntN(18)
	var b strings.Builder
	for i := range n {
		w := one(rng, ordinary)
		if i == 0 {
			w = strings.ToUpper(w[:1]) + w[1:]
		} else if i+1 < n && rng.IntN(11) == 0 {
			w += ","
		}
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(w)
	}
	b.WriteString(one(rng, []string{".", ".", ".", "?", "!"}))
	return b.String()
}

func paragraph(rng *rand.Rand) string {
	var b strings.Builder
	for range 2 + rng.IntN(5) {
		b.WriteString(sentence(rng))
		b.WriteByte(' ')
	}
	b.WriteByte('\n')
	return b.String()
}

// chat writes a conversation as an API would return it.
func (m *maker) chat(n, size int) error {
	at := clock(m.rng)
	m.write(fmt.Sprintf(`{"id":"chat_%08x","name":%q,"created_at":%q,"messages":[`, uint32(n)*2654435761, strings.Join(pickWords(m.rng, 4), " "), at.Format(time.RFC3339)))
	for i := 0; len(m.doc.Text) < size; i++ {
		if i > 0 {
			m.write(",")
		}
		at = at.Add(time.Duration(1+m.rng.IntN(600)) * time.Second)
		m.write(fmt.Sprintf(`{"role":%q,"created_at":%q,"text":"`, []string{"user", "assistant"}[i%2], at.Format(time.RFC3339)))
		m.escape = true
		for range 1 + m.rng.IntN(4) {
			switch m.rng.IntN(8) {
			case 0:
				m.write("```\n")
				m.snippet(one(m.rng, languages), m.rng.IntN(2) == 0, 1+m.rng.IntN(2))
				m.write("```\n")
			case 1:
				for range 2 + m.rng.IntN(4) {
					m.write("- " + sentence(m.rng) + "\n")
				}
			default:
				m.write(paragraph(m.rng))
			}
			if err := m.fill(); err != nil {
				return err
			}
			m.write(sentence(m.rng) + " " + sentence(m.rng) + "\n")
		}
		m.escape = false
		m.write(`"}`)
	}
	m.write("]}")
	return nil
}

func (m *maker) prose(size int) error {
	m.write(strings.Join(pickWords(m.rng, 5), " ") + "\n\n")
	for len(m.doc.Text) < size {
		m.write(paragraph(m.rng))
		if err := m.fill(); err != nil {
			return err
		}
		m.write(paragraph(m.rng) + "\n")
	}
	return nil
}

func (m *maker) log(size int) error {
	at := clock(m.rng)
	write := one(m.rng, logForms)
	for len(m.doc.Text) < size {
		for range 2 + m.rng.IntN(6) {
			at = at.Add(time.Duration(m.rng.IntN(4000)) * time.Millisecond)
			m.write(write(m.rng, at))
		}
		if err := m.fill(); err != nil {
			return err
		}
		m.write(write(m.rng, at))
	}
	return nil
}

var logForms = []func(*rand.Rand, time.Time) string{
	func(r *rand.Rand, at time.Time) string {
		return fmt.Sprintf("%s INFO component=%s status=%d took=%dms msg=%q\n", at.Format("2006-01-02T15:04:05.000Z"), one(r, components), one(r, []int{200, 200, 204, 404, 500}), r.IntN(900), sentence(r))
	},
	func(r *rand.Rand, at time.Time) string {
		return fmt.Sprintf("{\"time\":%q,\"level\":\"info\",\"logger\":%q,\"message\":%q,\"items\":%d}\n", at.Format(time.RFC3339Nano), one(r, components), sentence(r), r.IntN(5000))
	},
	func(r *rand.Rand, at time.Time) string {
		return fmt.Sprintf("%s node%02d %s[%d]: %s\n", at.Format("Jan _2 15:04:05"), r.IntN(40), one(r, components), 100+r.IntN(30000), sentence(r))
	},
	func(r *rand.Rand, at time.Time) string {
		return fmt.Sprintf("203.0.113.%d - - [%s] \"GET /%s/%s HTTP/1.1\" %d %d \"-\" \"Mozilla/5.0 (X11; Linux x86_64)\"\n", r.IntN(256), at.Format("02/Jan/2006:15:04:05 -0700"),
			one(r, components), strings.Join(pickWords(r, 2), "/"), one(r, []int{200, 304, 404}), r.IntN(90000))
	},
}

func clock(rng *rand.Rand) time.Time {
	return time.Date(2026, time.Month(1+rng.IntN(12)), 1+rng.IntN(28), rng.IntN(24), rng.IntN(60), rng.IntN(60), 0, time.UTC)
}

func pickWords(rng *rand.Rand, n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = one(rng, ordinary)
	}
	return out
}

// appendEscaped appends text as the inside of a string of JSON.
func appendEscaped(out []byte, text string) []byte {
	// A string always has a form in JSON.
	quoted, _ := json.Marshal(text)
	return append(out, quoted[1:len(quoted)-1]...)
}
