package processor_test

import (
	"strings"
	"testing"

	"hongbao/schemas"
)

// TestChangedCampaignFile: the same version with another text, and a lower version, refuse the start with a sentence that
// names both files (domain.md section 5).
func TestChangedCampaignFile(t *testing.T) {
	t.Parallel()
	f := newFleet(t, partitions(2))
	text := strings.Replace(string(schemas.DemoCampaign().Text), "version: 1", "version: 3", 1)
	begin := func(name, text string) *process {
		camp, err := schemas.ParseCampaign(name, []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		f.campaigns = []*schemas.Campaign{camp}
		return f.start("a")
	}
	p := begin("spring.yaml", text)
	f.await("the file to be in force in both partitions", func() bool {
		seqs := p.x.Status().Seqs
		return seqs[0] > 0 && seqs[1] > 0
	})
	f.end("a")
	for name, other := range map[string]string{
		"changed.yaml": text + "# changed\n",
		"lower.yaml":   strings.Replace(text, "version: 3", "version: 2", 1),
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
