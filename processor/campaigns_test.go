package processor_test

import (
	"fmt"
	"strings"
	"testing"

	"hongbao/internal/topiclog"
	"hongbao/schemas"
)

func demoVersion(n int) string {
	return strings.Replace(string(schemas.DemoCampaign().Text), "version: 1", fmt.Sprintf("version: %d", n), 1)
}

func (f *fleet) startUnder(instance, name, text string) *process {
	f.t.Helper()
	camp, err := schemas.ParseCampaign(name, []byte(text))
	if err != nil {
		f.t.Fatal(err)
	}
	f.campaigns = []*schemas.Campaign{camp}
	return f.start(instance)
}

// TestChangedCampaignFile: the same version with another text, and a lower version, refuse the start with a sentence that
// names both files (domain.md section 5).
func TestChangedCampaignFile(t *testing.T) {
	t.Parallel()
	f := newFleet(t, partitions(2))
	text := demoVersion(3)
	begin := func(name, text string) *process { return f.startUnder("a", name, text) }
	p := begin("spring.yaml", text)
	f.await("the file to be in force in both partitions", func() bool {
		seqs := p.x.Status().Seqs
		return seqs[0] > 0 && seqs[1] > 0
	})
	f.end("a")
	for name, other := range map[string]string{
		"changed.yaml": text + "# changed\n",
		"lower.yaml":   demoVersion(2),
	} {
		p = begin(name, other)
		delete(f.procs, "a")
		err := <-p.done
		if err == nil || !strings.Contains(err.Error(), name+" (campaign 1 version ") || !strings.Contains(err.Error(), "the file of fact 1 (version 3, sha256 ") {
			t.Errorf("%s: the process ends with %v", name, err)
		}
	}
	f.working(2, begin("spring.yaml", text))
}

// TestLowerFileInNewPartition: a partition that knows no campaign yet accepts the lower file, and so is the first at work; the
// others refuse the start all the same.
func TestLowerFileInNewPartition(t *testing.T) {
	t.Parallel()
	from, to := newFleet(t, partitions(2)), newFleet(t, partitions(2))
	from.working(2, from.startUnder("a", "spring.yaml", demoVersion(3)))
	from.await("the file to be in force in both partitions", func() bool {
		seqs := from.procs["a"].x.Status().Seqs
		return seqs[0] > 0 && seqs[1] > 0
	})
	from.end("a")
	to.copyLog(from, func(p int32, facts []*topiclog.Record, c *topiclog.Commit) []*topiclog.Record {
		if p == 0 {
			c.Offset = -1
			return nil
		}
		return facts
	})
	p := to.startUnder("a", "lower.yaml", demoVersion(2))
	var err error
	to.await("the process to refuse", func() bool {
		select {
		case err = <-p.done:
			return true
		default:
			return false
		}
	})
	delete(to.procs, "a")
	if err == nil || !strings.Contains(err.Error(), "lower.yaml (campaign 1 version 2") {
		t.Errorf("the process ends with %v", err)
	}
}
