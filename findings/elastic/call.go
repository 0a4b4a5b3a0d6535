package elastic

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/elastic/go-elasticsearch/v8/esapi"
)

// maxAnswer bounds an answer; bytes (invariant 9).
const maxAnswer = 64 << 20

// product is what the header of every answer of Elasticsearch says since 7.14.
const product = "Elasticsearch"

// call makes one request and decodes a 2xx answer into out, which may be nil. The status of any answer is returned, also beside an error; it is 0 if
// there was none.
func (x *Index) call(ctx context.Context, req esapi.Request, out any) (status int, err error) {
	resp, err := req.Do(ctx, x.client)
	if err != nil {
		return 0, callError(errors.Join(err, ctx.Err()))
	}
	defer func() {
		// An answer that was read whole cannot fail to close; of one that was not, the connection is given up.
		_ = resp.Body.Close()
	}()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	switch {
	case err != nil:
		return resp.StatusCode, callError(errors.Join(err, ctx.Err()))
	case resp.StatusCode < 200 || resp.StatusCode > 299:
		return resp.StatusCode, statusError(resp.StatusCode, errorKind(raw))
	case resp.Header.Get("X-Elastic-Product") != product:
		return resp.StatusCode, errProduct
	case len(raw) > maxAnswer:
		return resp.StatusCode, newError(CodeAnswer, "An answer of Elasticsearch is larger than Outband reads.", nil)
	case out == nil:
		return resp.StatusCode, nil
	}
	if err := json.Unmarshal(raw, out); err != nil {
		// The cause may quote the answer.
		return resp.StatusCode, newError(CodeAnswer, fmt.Sprintf("An answer of Elasticsearch of %d bytes cannot be read.", len(raw)), nil)
	}
	return resp.StatusCode, nil
}

// body is the JSON of a request that Outband made itself.
func body(v any) io.Reader {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // Strings, numbers, maps and slices of them only.
	}
	return bytes.NewReader(b)
}

// errorKind reads the name of an error's kind from an answer: an identifier, never the reason, which may quote a document.
func errorKind(answer []byte) string {
	var body struct {
		Error json.RawMessage `json:"error"`
	}
	var cause struct {
		Type string `json:"type"`
	}
	if json.Unmarshal(answer, &body) != nil || json.Unmarshal(body.Error, &cause) != nil {
		return "" // A proxy's page, or an error that is a text.
	}
	return identifier(cause.Type)
}

// identifier returns a foreign name if it is one, else nothing.
func identifier(s string) string {
	const longest = 80
	if len(s) > longest || strings.Trim(s, "abcdefghijklmnopqrstuvwxyz_") != "" {
		return ""
	}
	return s
}

// oldest is the first major version that has what the index needs.
const oldest = 8

// version asks for the version; it is empty where the user may not ask. Not GET /: a user needs more rights for it.
func (x *Index) version(ctx context.Context) (string, error) {
	var answer struct {
		Nodes map[string]struct {
			Version string `json:"version"`
		} `json:"nodes"`
	}
	status, err := x.call(ctx, esapi.NodesInfoRequest{NodeID: []string{"_local"}, FilterPath: []string{"nodes.*.version"}}, &answer)
	if status == http.StatusForbidden || status == http.StatusMethodNotAllowed {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	for _, n := range answer.Nodes {
		major, _, _ := strings.Cut(n.Version, ".")
		if v, err := strconv.Atoi(major); err != nil || v < oldest {
			return "", errProduct
		}
		return n.Version, nil
	}
	return "", nil
}
