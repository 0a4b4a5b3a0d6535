package validate

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"hash/crc32"
)

// JWT checks that the first part decodes to a JSON object with an "alg", and the second to a JSON object.
func JWT(b []byte) Verdict {
	first, rest, ok := bytes.Cut(b, []byte("."))
	if !ok {
		return Reject
	}
	second, _, ok := bytes.Cut(rest, []byte("."))
	if !ok {
		return Reject
	}
	var header struct {
		Alg string `json:"alg"`
	}
	if raw, ok := decodeURL(first); !ok || json.Unmarshal(raw, &header) != nil || header.Alg == "" {
		return Reject
	}
	claims, ok := decodeURL(second)
	claims = bytes.Trim(claims, " \t\r\n")
	return verdict(ok && (bytes.HasPrefix(claims, []byte("{")) || string(claims) == "null") && json.Valid(claims))
}

func decodeURL(part []byte) ([]byte, bool) {
	out := make([]byte, base64.RawURLEncoding.DecodedLen(len(part)))
	n, err := base64.RawURLEncoding.Decode(out, part)
	return out[:n], err == nil
}

const base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// GitHubToken checks the last six characters of a 40-character token: the CRC-32 of the 30 before them in base 62. A token that fails is not
// rejected, for the scheme is announced but not promised.
func GitHubToken(b []byte) Verdict {
	if len(b) != 40 || b[3] != '_' {
		return Unknown
	}
	sum := GitHubChecksum(b[4:34])
	if bytes.Equal(sum[:], b[34:]) {
		return Pass
	}
	return Unknown
}

// GitHubChecksum returns the six characters that close a token with this body.
func GitHubChecksum(body []byte) [6]byte {
	var out [6]byte
	n := crc32.ChecksumIEEE(body)
	for i := len(out) - 1; i >= 0; i-- {
		out[i] = base62[n%62]
		n /= 62
	}
	return out
}

// AWSKeyID checks the alphabet of an access key id (base 32) and that it is not one of the documentation's examples.
func AWSKeyID(b []byte) Verdict {
	if len(b) != 20 {
		return Reject
	}
	for _, c := range b[4:] {
		if (c < 'A' || c > 'Z') && (c < '2' || c > '7') {
			return Reject
		}
	}
	return verdict(!bytes.HasSuffix(b, []byte("EXAMPLE")) && !same(b[4:]))
}

// PEM checks that the body of an armoured private key decodes as base64. A body that is cut off keeps its shape, so it is Unknown.
func PEM(b []byte) Verdict {
	_, body, ok := bytes.Cut(b, []byte("-----\n"))
	if !ok {
		if _, body, ok = bytes.Cut(b, []byte("-----\r\n")); !ok {
			return Unknown
		}
	}
	body, _, ok = bytes.Cut(body, []byte("-----END"))
	if !ok {
		return Unknown
	}
	clean := make([]byte, 0, len(body))
	for _, c := range body {
		if c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '+' || c == '/' {
			clean = append(clean, c)
		}
	}
	clean = clean[:len(clean)/4*4]
	if _, err := base64.StdEncoding.Decode(make([]byte, len(clean)), clean); err != nil || len(clean) < 64 || same(clean) {
		return Unknown
	}
	return Pass
}

// DiscordToken checks that the first part of a bot token is the base64 of a decimal id; a token whose part is not has the shape only.
func DiscordToken(b []byte) Verdict {
	first, _, ok := bytes.Cut(b, []byte("."))
	if !ok {
		return Reject
	}
	var out [48]byte
	if base64.RawURLEncoding.DecodedLen(len(first)) > len(out) {
		return Reject
	}
	n, err := base64.RawURLEncoding.Decode(out[:], first)
	if err == nil && n >= 16 && n <= 20 && isDigits(out[:n]) {
		return Pass
	}
	return Unknown
}

// UUID checks the dashed form and that the value is not one digit repeated. It says nothing about secrecy, so it passes no more than Unknown.
func UUID(b []byte) Verdict {
	if len(b) != 36 || b[8] != '-' || b[13] != '-' || b[18] != '-' || b[23] != '-' {
		return Reject
	}
	distinct := 0
	var seen [256]bool
	for _, c := range b {
		if !seen[c] {
			seen[c] = true
			distinct++
		}
	}
	if distinct < 8 {
		return Reject
	}
	return Unknown
}
