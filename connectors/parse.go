package connectors

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// MaxRetryAfter caps what a server may ask for: a longer wait would look like a stopped connection.
const MaxRetryAfter = time.Hour

// ParseTime reads the forms of time that audit APIs give: RFC 3339 with any fraction and offset, and the same without an offset, which means UTC.
// The result is in UTC.
func ParseTime(s string) (time.Time, error) {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02 15:04:05Z07:00", "2006-01-02 15:04:05"} {
		// Parse accepts a fraction after the seconds although the layout has none.
		if t, err := time.Parse(layout, s); err == nil {
			if t = t.UTC(); t.Year() < 0 || t.Year() > 9999 {
				break
			}
			return t, nil
		}
	}
	return time.Time{}, errors.New("not a time")
}

// ParseRetryAfter reads a Retry-After header, as seconds or as an HTTP date, capped at MaxRetryAfter. It returns 0 for anything else.
func ParseRetryAfter(s string, now time.Time) time.Duration {
	s = strings.TrimSpace(s)
	if n, err := strconv.ParseFloat(s, 64); err == nil {
		if !(n > 0) { // Also not a number.
			return 0
		}
		if n >= MaxRetryAfter.Seconds() {
			return MaxRetryAfter
		}
		return time.Duration(n * float64(time.Second))
	}
	at, err := http.ParseTime(s)
	if err != nil {
		return 0
	}
	return min(max(at.Sub(now), 0), MaxRetryAfter)
}
