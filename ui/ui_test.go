package ui

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestHandlerServesOnePage(t *testing.T) {
	for _, tc := range []struct {
		name, method, path string
		status             int
		contains           string
	}{
		{"the page says where the API is", http.MethodGet, "/", http.StatusOK, "/api/v1"},
		{"another path is not found", http.MethodGet, "/favicon.ico", http.StatusNotFound, ""},
		{"a change is refused", http.MethodPost, "/", http.StatusMethodNotAllowed, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := httptest.NewRecorder()
			Handler().ServeHTTP(w, httptest.NewRequest(tc.method, tc.path, nil))
			if w.Code != tc.status || !strings.Contains(w.Body.String(), tc.contains) {
				t.Errorf("%s %s: status %d, body %q; want %d with %q", tc.method, tc.path, w.Code, w.Body.String(), tc.status, tc.contains)
			}
			if strings.Contains(w.Body.String(), "<script") {
				t.Error("the page has a script, which the content security policy blocks")
			}
		})
	}
}
