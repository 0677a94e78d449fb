package verify

import (
	"encoding/json"
	"maps"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"hongbao/schemas"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func config(log Log) Config {
	return Config{Log: log, Group: group, Keys: schemas.DemoCodeKeys(), Settle: 1, KeepBroken: 1000}
}

func TestGoodLog(t *testing.T) {
	t.Parallel()
	sc := newScenario(t)
	r := mustRun(t, config(sc.build()))
	for _, b := range r.Broken {
		t.Errorf("%s", b)
	}
	if !r.OK || r.Open != 0 || r.Lag != 0 {
		t.Errorf("ok %v, open %d, lag %d", r.OK, r.Open, r.Lag)
	}
	want := map[string]int64{
		"ACCEPTED": 15, "DUPLICATE": 4, "DEPTH_EXCEEDED": 1, "ALREADY_INVITED": 1, "NO_ACTIVE_SHARE": 1, "CYCLE": 1,
		"SELF_INVITE": 1, "UNKNOWN_INVITER": 1, "UNKNOWN_USER": 2, "SHARE_LIMIT": 1, "CLAIMED_ELSEWHERE": 1, "BAD_CODE": 2,
		"EXPIRED_CODE": 1, "CAMPAIGN_NOT_STARTED": 1, "CAMPAIGN_PAUSED": 1, "CAMPAIGN_CLOSED": 1, "UNKNOWN_ORDER": 1,
	}
	if !maps.Equal(r.Verdicts, want) {
		t.Errorf("verdicts %v, want %v", r.Verdicts, want)
	}
	if r.SharesAccepted != 5 || r.JoinsAccepted != 5 || !maps.Equal(r.Depth, map[string]int64{"1": 3, "2": 1, "3": 1}) {
		t.Errorf("%d shares, %d joins, depth %v", r.SharesAccepted, r.JoinsAccepted, r.Depth)
	}
	if r.Dead != 8 || r.Others != 3 || !maps.Equal(r.Coupons, map[string]int64{"COMPLETED": 12, "FAILED": 1}) {
		t.Errorf("dead %d, others %d, coupons %v", r.Dead, r.Others, r.Coupons)
	}
	if out := printed(t, r); !strings.HasSuffix(out, "\nok\n") {
		t.Errorf("printed:\n%s", out)
	}
}

func TestReportIsAContract(t *testing.T) {
	t.Parallel()
	r := mustRun(t, config(newScenario(t).build()))
	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(text, &fields); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{
		"ok", "events", "facts", "shares_accepted", "joins_accepted", "depth", "verdicts", "dead", "coupons", "open", "lag", "partitions", "broken",
	} {
		if _, ok := fields[name]; !ok {
			t.Errorf("the report has no %q", name)
		}
	}
	if string(fields["broken"]) != "[]" {
		t.Errorf("broken is %s, want an empty list", fields["broken"])
	}
}
