package main

import (
	"errors"
	"runtime"
	"slices"

	"hongbao/projections"
	"hongbao/schemas"
)

// benchRecord is one record of the stream, kept.
type benchRecord struct {
	value   []byte
	headers []schemasHeader
}

type schemasHeader struct {
	key   string
	value []byte
}

// foldPath is what a worker does with an event between Kafka and the outbox, without either.
type foldPath struct {
	state    *projections.State
	decoder  schemas.Decoder
	verifier *schemas.CodeVerifier
	signer   *schemas.CommandSigner
	events   [factArenaEvents]schemas.Event
	fact     schemas.Fact
	command  schemas.Command
	arena    []byte
	scratch  []byte
	hash     schemas.Hash
	seq      int64
}

// allocsPerEvent counts allocations of decode, verify, probe, decide, fold, encode and hash: what is left are the
// pages that the tables grow by.
func (b *bench) allocsPerEvent() (float64, error) {
	records, err := b.keep(foldWarmup + foldMeasured)
	if err != nil {
		return 0, err
	}
	keys, err := b.cfg.loadCodeKeys()
	if err != nil {
		return 0, err
	}
	p := &foldPath{verifier: schemas.NewCodeVerifier(keys), signer: schemas.NewCommandSigner(keys), seq: 1}
	if p.state, err = openBenchState(nothing{}); err != nil {
		return 0, err
	}
	var before, after runtime.MemStats
	for i, run := range [][]benchRecord{records[:foldWarmup], records[foldWarmup:]} {
		if i == 1 {
			if err := p.state.Flush(nothing{}); err != nil {
				return 0, err
			}
			runtime.ReadMemStats(&before)
		}
		for chunk := range slices.Chunk(run, factArenaEvents) {
			if err := p.step(chunk); err != nil {
				return 0, err
			}
		}
	}
	runtime.ReadMemStats(&after)
	return float64(after.Mallocs-before.Mallocs) / foldMeasured, nil
}

// keep generates records that decode: a dead letter is off the fold path, and may allocate.
func (b *bench) keep(n int) ([]benchRecord, error) {
	stream, err := b.stream(int64(n)+int64(n)/10, b.seed)
	if err != nil {
		return nil, err
	}
	var d schemas.Decoder
	var e schemas.Event
	kept := make([]benchRecord, 0, n)
	for r := range stream.Records() {
		k := benchRecord{value: r.Value}
		d.Reset()
		for _, h := range r.Headers {
			k.headers = append(k.headers, schemasHeader{h.Key, h.Value})
			d.Header(h.Key, h.Value)
		}
		if d.Event(r.Value, &e) != nil {
			continue
		}
		if kept = append(kept, k); len(kept) == n {
			return kept, nil
		}
	}
	return nil, errors.New("the generated stream is too short")
}

func (p *foldPath) step(records []benchRecord) error {
	p.arena = append(p.arena[:0], p.hash[:]...)
	for i := range records {
		p.decoder.Reset()
		for _, h := range records[i].headers {
			p.decoder.Header(h.key, h.value)
		}
		e := &p.events[i]
		if err := p.decoder.Event(records[i].value, e); err != nil {
			return err
		}
		p.verifier.VerifyEvent(e)
		p.state.Probe(e)
	}
	p.state.EndProbe()
	for i := range records {
		if err := p.rule(&p.events[i]); err != nil {
			return err
		}
	}
	p.hash = schemas.HashStep(p.arena)
	return nil
}

func (p *foldPath) rule(e *schemas.Event) error {
	outcome := p.state.Decide(e, projections.Answer{Claim: projections.Yes, Share: projections.Yes}, &p.fact.Verdict)
	if outcome.Kind() == 0 {
		return nil // an unknown campaign: a dead letter
	}
	p.seq++
	p.fact.Kind, p.fact.Rare, p.fact.Seq = outcome.Kind(), nil, p.seq
	p.scratch = schemas.AppendFact(p.scratch[:0], &p.fact)
	p.arena = schemas.AppendHashed(p.arena, p.scratch)
	v := &p.fact.Verdict
	for i := range v.Rewards {
		p.command = schemas.RewardCommand(v, &v.Rewards[i], p.seq)
		p.signer.Sign(&p.command)
		p.scratch = schemas.AppendCommand(p.scratch[:0], &p.command)
	}
	return p.state.Fold(&p.fact)
}
