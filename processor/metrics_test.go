package processor

import (
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

// TestStopInMetrics: the metric of a stop names partition, rule, what was expected and found, and what to do; it goes when the
// partition goes on, and its neighbours' stay.
func TestStopInMetrics(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewRegistry()
	m := newMetrics(reg, &Processor{})
	shown := func() (all []map[string]string) {
		families, err := reg.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range families {
			if f.GetName() != "hongbao_partition_stopped" {
				continue
			}
			for _, s := range f.GetMetric() {
				labels := map[string]string{}
				for _, l := range s.GetLabel() {
					labels[l.GetName()] = l.GetValue()
				}
				all = append(all, labels)
			}
		}
		return all
	}
	m.stop(&Stop{Partition: 3, Rule: "X8", Expected: "seq 7", Found: "seq 9\xff", Remedy: "restore the topic"})
	m.stop(&Stop{Partition: 30, Rule: "X6"})
	want := map[string]string{"partition": "3", "rule": "X8", "expected": "seq 7", "found": "seq 9?", "do": "restore the topic"}
	all := shown()
	if len(all) != 2 {
		t.Fatalf("%d series of two stops: %v", len(all), all)
	}
	found := 0
	for _, labels := range all {
		if labels["partition"] == "3" {
			for name, value := range want {
				if labels[name] == value {
					found++
				}
			}
		}
	}
	if found != len(want) {
		t.Errorf("%v; want %v", all, want)
	}
	m.goesOn(3)
	if all = shown(); len(all) != 1 || all[0]["partition"] != "30" {
		t.Errorf("after partition 3 goes on: %v", all)
	}
}
