package config

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/outband/outband/internal/secret"
)

func (m *merged) text(name string) string { return m.values.String(name) }

func (m *merged) secret(name string) secret.Value { return secret.NewValue(m.values.String(name)) }

func (m *merged) required(name string) string {
	s := m.text(name)
	if strings.TrimSpace(s) == "" {
		m.fail(CodeRequired, name, "it must not be empty.")
	}
	return s
}

func (m *merged) choice(name string, words ...string) string {
	s := m.text(name)
	if !slices.Contains(words, s) {
		m.fail(CodeChoice, name, "%q is not one of %s.", s, strings.Join(words, ", "))
	}
	return s
}

// count checks a number that is not negative.
func (m *merged) count(name string) int64 {
	n, err := strconv.ParseInt(m.text(name), 10, 64)
	if err != nil || n < 0 {
		m.fail(CodeForm, name, "write it as a whole number that is not negative, for example 1000.")
	}
	return n
}

// bounded checks a number from 0 to most.
func (m *merged) bounded(name string, most int64) int64 {
	n := m.count(name)
	if n > most {
		m.fail(CodeForm, name, "%d is more than %d.", n, most)
	}
	return n
}

// duration checks a time that is not negative, with its unit unless it is 0.
func (m *merged) duration(name string) time.Duration {
	d, err := time.ParseDuration(m.text(name))
	if err != nil || d < 0 {
		m.fail(CodeForm, name, "write it as a number with its unit, for example 5ms, 1s or 0.")
	}
	return d
}

// address checks host:port. The host may be empty, which means every interface.
func (m *merged) address(name string) string {
	s := m.text(name)
	k, _ := find(name)
	if s == "" && k.initial == "" {
		return ""
	}
	host, port, err := net.SplitHostPort(s)
	if err == nil && strings.ContainsAny(host, " /@?#") {
		err = &net.AddrError{}
	}
	if n, perr := strconv.ParseUint(port, 10, 16); err != nil || perr != nil || (host == "" && k.initial == "") || (n == 0 && k.initial == "") {
		m.fail(CodeAddress, name, "write it as host:port, for example 127.0.0.1:8080 or [::1]:8080.")
	}
	return s
}

// url checks an absolute http or https address without credentials, query and fragment.
func (m *merged) url(name string) string {
	s := strings.TrimSuffix(m.text(name), "/")
	if s == "" {
		return ""
	}
	u, err := url.Parse(s)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.ForceQuery || strings.Contains(s, "#") {
		m.fail(CodeURL, name, "write it as http or https, host and, where there is one, path: https://outband.example.com. Nothing else belongs in it, a password least of all.")
	}
	return s
}

func (m *merged) networks(name string) []netip.Prefix {
	var out []netip.Prefix
	for _, s := range m.values.Strings(name) {
		p, err := netip.ParsePrefix(s)
		if err != nil {
			hint := "for example 10.0.0.0/8"
			if a, aerr := netip.ParseAddr(s); aerr == nil && a.Zone() == "" {
				hint = "for this one address " + netip.PrefixFrom(a.Unmap(), a.Unmap().BitLen()).String()
			}
			m.fail(CodeNetwork, name, "%q is not a network. Write a CIDR, %s.", s, hint)
			continue
		}
		if p.Addr().Is4In6() {
			m.fail(CodeNetwork, name, "%q is an IPv4 network in IPv6 form. Write it as IPv4.", s)
			continue
		}
		if p != p.Masked() {
			m.fail(CodeNetwork, name, "%q names an address inside a network. Write %s for the network or %s for the address.", s, p.Masked(), netip.PrefixFrom(p.Addr(), p.Addr().BitLen()))
			continue
		}
		out = append(out, p)
	}
	return out
}

// together checks what keys mean for each other.
func (m *merged) together(c Config) {
	if (c.TLS.Cert == "") != (c.TLS.Key == "") {
		name, other := "tls.cert", "tls.key"
		if c.TLS.Cert == "" {
			name, other = other, name
		}
		m.fail(CodeTLS, name, "a certificate needs its key and the key its certificate. Set %s too.", other)
	}
	if c.Role != RoleWorker && !loopback(c.Listen) && c.TLS.Cert == "" && len(c.TrustedProxies) == 0 {
		m.fail(CodeExposed, "listen", "tokens would cross the network in clear. Set tls.cert and tls.key, or trusted_proxies for a proxy that ends TLS, or listen on 127.0.0.1.")
	}
	if c.Metrics.Listen != "" && !loopback(c.Metrics.Listen) && c.TLS.Cert == "" && len(c.TrustedProxies) == 0 {
		m.fail(CodeExposed, "metrics.listen", "anyone on the network could read and change what is measured on its way. Set tls.cert and tls.key, or trusted_proxies for a proxy that ends TLS, or listen on 127.0.0.1.")
	}
	if c.Role == RoleAPI || c.Role == RoleWorker {
		for _, shared := range []string{"store.postgres", "temporal.address"} {
			if m.text(shared) == "" {
				m.fail(CodeRole, "role", "processes of the roles api and worker share their servers. Set %s too, the same for all of them, or use the role all.", shared)
			}
		}
	}
	m.index(c.Elasticsearch)
}

// index checks what the keys of Elasticsearch mean for each other.
func (m *merged) index(e Elasticsearch) {
	has := func(name string) bool { return m.text("elasticsearch."+name) != "" }
	if !has("url") {
		for _, name := range []string{"username", "password", "password_file", "api_key", "ca_file"} {
			if has(name) {
				m.fail(CodeTogether, "elasticsearch."+name, "it is of no use without elasticsearch.url. Set that too, or remove this.")
			}
		}
		return
	}
	switch password := has("password") || has("password_file"); {
	case has("password") && has("password_file"):
		m.fail(CodeTogether, "elasticsearch.password_file", "the password is given twice. Remove this or elasticsearch.password.")
	case has("username") && !password:
		m.fail(CodeTogether, "elasticsearch.username", "a user needs a password. Set elasticsearch.password_file too.")
	case !has("username") && password:
		m.fail(CodeTogether, "elasticsearch.username", "a password needs its user. Set this too.")
	}
	if has("api_key") && has("username") {
		m.fail(CodeTogether, "elasticsearch.api_key", "an API key stands in place of a user. Remove this or elasticsearch.username with its password.")
	}
	if !has("ca_file") {
		return
	}
	if strings.HasPrefix(e.URL, "http:") {
		m.fail(CodeTogether, "elasticsearch.ca_file", "certificates are checked only over https. Write elasticsearch.url with https, or remove this.")
	}
	m.readable("elasticsearch.ca_file")
}

// maxNamed is the largest file that a setting may name, in bytes.
const maxNamed = 1 << 20

// readable returns what is in the file that a setting names.
func (m *merged) readable(name string) []byte {
	f, err := os.Open(m.text(name))
	if err == nil {
		var b []byte
		b, err = io.ReadAll(io.LimitReader(f, maxNamed+1))
		err = errors.Join(err, f.Close())
		switch {
		case err == nil && len(b) > maxNamed:
			err = fmt.Errorf("it has more than %d bytes", maxNamed)
		case err == nil:
			return b
		}
	}
	m.fail(CodeRead, name, "the file cannot be read: %v. Check the path and its mode.", err)
	return nil
}

// secretFile reads a secret from the file that a setting names, without the line end that editors add.
func (m *merged) secretFile(name string) secret.Value {
	before := len(m.errs)
	s := string(m.readable(name))
	s = strings.TrimSuffix(strings.TrimSuffix(s, "\n"), "\r")
	if s == "" && len(m.errs) == before {
		m.fail(CodeRead, name, "the file is empty. Write the password into it.")
	}
	return secret.NewValue(s)
}

// loopback reports whether an address is reached from this machine only. An address that cannot be read is reported elsewhere.
func loopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil || host == "localhost" {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.Unmap().IsLoopback()
}
