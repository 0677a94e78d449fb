package verify

import (
	"bytes"
	"encoding/json"
	"flag"
	"maps"
	"os"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"hongbao/schemas"
	pb "hongbao/schemas/invitepb"
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
	if r.Dead != 8 || r.Others != 9 || !maps.Equal(r.Coupons, map[string]int64{"COMPLETED": 13, "FAILED": 1}) {
		t.Errorf("dead %d, others %d, coupons %v", r.Dead, r.Others, r.Coupons)
	}
	if out := printed(t, r); !strings.HasSuffix(out, "\nok\n") {
		t.Errorf("printed:\n%s", out)
	}
}

var rewrite = flag.Bool("rewrite", false, "write the golden files of testdata/verify anew")

// The report's JSON names are a contract: the golden files show them, good and broken.
func TestReportIsAContract(t *testing.T) {
	t.Parallel()
	good, broken := newScenario(t), newScenario(t)
	broken.inviteDead = broken.inviteDead[1:]
	broken.p.swap(broken.p.refused(pb.Reason_REASON_CYCLE), broken.p.refused(pb.Reason_REASON_UNKNOWN_INVITER))
	for name, sc := range map[string]*scenario{"good": good, "broken": broken} {
		r := mustRun(t, config(sc.build()))
		text, err := json.MarshalIndent(r, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		golden(t, name+".json", append(text, '\n'))
		golden(t, name+".txt", []byte(printed(t, r)))
	}
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := "../../testdata/verify/" + name
	if *rewrite {
		if err := os.WriteFile(path, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is not what this gives (-rewrite makes it anew):\n%s", path, got)
	}
}
