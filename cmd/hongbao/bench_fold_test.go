package main

import "testing"

// TestFoldPathAllocates nothing but the pages that the tables grow by: one slab of pages for hundreds of events.
//
//nolint:paralleltest // the allocations of the whole process are counted
func TestFoldPathAllocates(t *testing.T) {
	b := &bench{app: &app{}, seed: 1, chains: 2000}
	got, err := b.allocsPerEvent()
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%.4f allocations per event", got)
	if got > 0.01 {
		t.Errorf("%.3f allocations per event on the fold path", got)
	}
}
