package main

import "testing"

// TestFoldPathAllocates nothing but the pages that the tables grow by: far below one in ten events.
//
//nolint:paralleltest // the allocations of the whole process are counted
func TestFoldPathAllocates(t *testing.T) {
	b := &bench{app: &app{}, seed: 1, chains: 2000}
	got, err := b.allocsPerEvent()
	if err != nil {
		t.Fatal(err)
	}
	if got > 0.1 {
		t.Errorf("%.3f allocations per event on the fold path", got)
	}
}
