package main

import (
	"path/filepath"
	"strings"
	"testing"

	"hongbao/internal/embedded"
	"hongbao/internal/topiclog"
	"hongbao/schemas"
)

// stageOf is a stage whose topics have so many partitions, on a broker of its own.
func stageOf(t *testing.T, count int32) *stage {
	t.Helper()
	parts, err := embedded.Start(embedded.Config{Partitions: count})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(parts.Close)
	s := &stage{t: t, root: t.TempDir(), brokers: parts.Brokers(), prefix: "many."}
	s.env = []string{"HONGBAO_BROKERS=" + strings.Join(s.brokers, ","), "HONGBAO_PREFIX=" + s.prefix, "HONGBAO_LOG_LEVEL=error"}
	if s.log, err = topiclog.Dial(t.Context(), topiclog.Config{Brokers: s.brokers, Prefix: s.prefix}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.log.Close)
	if _, err := s.log.Create(t.Context(), topiclog.Options{Partitions: count, Dev: true}); err != nil {
		t.Fatal(err)
	}
	return s
}

// oneStep is a fact log of one fact, the end of a step.
func oneStep(partition int32) *factLog {
	l := newFactLog(partition)
	l.add(&schemas.Fact{Kind: schemas.FactStepEnded, Step: schemas.StepEnded{WorkerClockMS: 1, Facts: 1}})
	return l
}

// TestReplayManyPartitions: both replays read topics of more partitions than the default.
func TestReplayManyPartitions(t *testing.T) {
	t.Parallel()
	const many = 20
	s := stageOf(t, many)
	s.writeTo(schemas.TopicFacts, oneStep(many-1).records...)
	if got := s.replay("--into", filepath.Join(s.root, "into")); len(got.Partitions) != many || got.Facts != 1 {
		t.Errorf("facts: %+v", got)
	}
	var answer whatIfAnswer
	s.must(&answer, "replay", "events", "--campaign", s.file("campaign.yaml", whatIfBefore))
	if answer.Version != 1 || answer.Events != 0 {
		t.Errorf("events: %+v", answer.WhatIfReport)
	}
}

// TestReplayBrokenPartition: a log that cannot be folded takes nothing from those that were folded before it: their results are printed, then why it ended.
func TestReplayBrokenPartition(t *testing.T) {
	t.Parallel()
	const count = 4
	s := stageOf(t, count)
	for p := range int32(count) {
		l := oneStep(p)
		if p == 2 {
			l.records[0].Value[1]++ // its seq
		}
		s.writeTo(schemas.TopicFacts, l.records...)
	}
	args := []string{"replay", "--parallel", "1", "--into", filepath.Join(s.root, "into")}
	var answer replayAnswer
	code, errOut := s.do(&answer, args...)
	if code != exitFailed || !strings.Contains(errOut, "partition 2, rule X8: expected the fact with seq 1") {
		t.Errorf("exit %d, %s", code, errOut)
	}
	if answer.OK || len(answer.Partitions) != 2 || answer.Facts != 2 {
		t.Errorf("%+v; want what became of partitions 0 and 1", answer)
	}
	if _, out, _ := start(t, s.env, args...); !strings.Contains(out, "partition 1   seq 1") {
		t.Errorf("no word of partition 1 in:\n%s", out)
	}
}
