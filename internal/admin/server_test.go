package admin_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"hongbao/internal/admin"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// still is an instance that owns partition 0 of two.
type still struct{ swapped []int32 }

func (*still) Status() admin.Status { return admin.Status{Instance: "a", Owned: []int32{0}} }

func (*still) Partitions(context.Context) ([]admin.Partition, error) {
	return []admin.Partition{{State: admin.Working, Seq: 7}, {Partition: 1, State: admin.Elsewhere, Owner: "b"}}, nil
}

func (*still) StateHash(p int32) (admin.StateHash, error) {
	if p == 1 {
		return admin.StateHash{}, &admin.Refusal{Sentence: "partition 1 is not ours", Owner: "b", Address: "127.0.0.1:2", Code: http.StatusMisdirectedRequest}
	}
	return admin.StateHash{Partition: p, Seq: 7}, nil
}

func (s *still) Swap(_ context.Context, p int32) error {
	s.swapped = append(s.swapped, p)
	return nil
}

func serve(t *testing.T, i admin.Instance, drain func()) *httptest.Server {
	t.Helper()
	mux := http.NewServeMux()
	admin.Register(mux, admin.Config{Instance: i, Partitions: 2, Drain: drain})
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s
}

// TestClientAndServer: what is asked for is answered, a refusal arrives with owner and address (A2).
func TestClientAndServer(t *testing.T) {
	t.Parallel()
	i, drained := &still{}, 0
	c := admin.NewClient(strings.TrimPrefix(serve(t, i, func() { drained++ }).URL, "http://"))
	ctx := t.Context()
	if st, err := c.Status(ctx); err != nil || st.Instance != "a" {
		t.Errorf("status %+v, %v", st, err)
	}
	if all, err := c.Partitions(ctx); err != nil || len(all) != 2 || all[0].Seq != 7 {
		t.Errorf("partitions %+v, %v", all, err)
	}
	if h, err := c.StateHash(ctx, 0); err != nil || h.Seq != 7 {
		t.Errorf("state hash %+v, %v", h, err)
	}
	_, err := c.StateHash(ctx, 1)
	if r, ok := errors.AsType[*admin.Refusal](err); !ok || r.Owner != "b" || r.Address != "127.0.0.1:2" || r.Code != http.StatusMisdirectedRequest {
		t.Errorf("state hash of another's: %v", err)
	}
	if err := c.Swap(ctx, 1); err != nil || len(i.swapped) != 1 || i.swapped[0] != 1 {
		t.Errorf("swapped %v, %v", i.swapped, err)
	}
	if err := c.Swap(ctx, 2); err == nil || !strings.Contains(err.Error(), `partition "2": there are 0..1`) {
		t.Errorf("swap of partition 2: %v", err)
	}
	if err := c.Drain(ctx); err != nil || drained != 1 {
		t.Errorf("drained %d times, %v", drained, err)
	}
	if _, err := admin.NewClient("127.0.0.1:1").Status(ctx); !errors.Is(err, admin.ErrNobody) {
		t.Errorf("nobody there: %v", err)
	}
}

// TestStrangers: what a web page could send is refused, whatever it asks for (A1).
func TestStrangers(t *testing.T) {
	t.Parallel()
	i := &still{}
	s := serve(t, i, func() { t.Error("drained by a stranger") })
	cases := []struct {
		name, method, path, host, origin, kind string
		want                                   int
	}{
		{name: "a form", method: http.MethodPost, path: "/v1/partitions/0/swap", kind: "text/plain", want: http.StatusForbidden},
		{name: "no type", method: http.MethodPost, path: "/v1/drain", want: http.StatusForbidden},
		{name: "a page", method: http.MethodPost, path: "/v1/drain", kind: "application/json", origin: "https://example.com", want: http.StatusForbidden},
		{name: "a forged name", method: http.MethodGet, path: "/v1/status", host: "example.com", want: http.StatusForbidden},
		{name: "a GET for a command", method: http.MethodGet, path: "/v1/drain", want: http.StatusMethodNotAllowed},
		{name: "localhost", method: http.MethodGet, path: "/v1/partitions/0", host: "localhost:9180", want: http.StatusOK},
	}
	for _, c := range cases {
		req, err := http.NewRequestWithContext(t.Context(), c.method, s.URL+c.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if c.host != "" {
			req.Host = c.host
		}
		if c.origin != "" {
			req.Header.Set("Origin", c.origin)
		}
		if c.kind != "" {
			req.Header.Set("Content-Type", c.kind)
		}
		resp, err := s.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		if resp.Body.Close(); resp.StatusCode != c.want {
			t.Errorf("%s: %s, want %d", c.name, resp.Status, c.want)
		}
	}
	if len(i.swapped) > 0 {
		t.Errorf("a stranger swapped %v", i.swapped)
	}
}
