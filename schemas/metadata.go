package schemas

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
)

const metadataFormat = "1"

// Metadata travels with the committed offset of invite.events and says which step is the last one
// in Kafka (X4), so that the committed offset is the outbox cursor. Real Kafka limits it to 4,096
// bytes; the text is under 300.
type Metadata struct {
	Seq       int64     // of the step's StepEnded
	Hash      Hash      // after that step
	Positions Positions // next offset of every input
	ClockMS   int64     // worker clock of that step
}

// AppendText appends "1 <seq> <hash, 32 hex digits> <clock> invite.events=12,coupon.commands=3,…",
// every input named, in the order of Topic. It never fails.
func (m *Metadata) AppendText(dst []byte) ([]byte, error) {
	dst = append(dst, metadataFormat+" "...)
	dst = strconv.AppendInt(dst, m.Seq, 10)
	dst = hex.AppendEncode(append(dst, ' '), m.Hash[:])
	dst = strconv.AppendInt(append(dst, ' '), m.ClockMS, 10)
	separator := byte(' ')
	for i, next := range m.Positions {
		dst = append(append(dst, separator), Topic(i).String()...)
		dst = strconv.AppendInt(append(dst, '='), next, 10)
		separator = ','
	}
	return dst, nil
}

// ParseMetadata reads what AppendText wrote, and nothing else: metadata in another shape was
// written by another program or another version, and guessing at a position would lose events.
func ParseMetadata(text string) (Metadata, error) {
	m, err := parseMetadata(text)
	if err != nil {
		return Metadata{}, fmt.Errorf("offset metadata %s: %w", quoteString(text), err)
	}
	return m, nil
}

func parseMetadata(text string) (m Metadata, err error) {
	parts := strings.Split(text, " ")
	if len(parts) != 5 || parts[0] != metadataFormat {
		return m, fmt.Errorf("format %s is five words: 1, seq, hash, clock, positions", metadataFormat)
	}
	if m.Seq, err = parseCount("seq", parts[1]); err != nil {
		return m, err
	}
	if len(parts[2]) != hex.EncodedLen(len(m.Hash)) || strings.ToLower(parts[2]) != parts[2] {
		return m, fmt.Errorf("the hash is 32 lower-case hex digits")
	}
	if _, err = hex.Decode(m.Hash[:], []byte(parts[2])); err != nil {
		return m, fmt.Errorf("the hash is 32 lower-case hex digits: %w", err)
	}
	if m.ClockMS, err = parseCount("the clock", parts[3]); err != nil {
		return m, err
	}
	inputs := strings.Split(parts[4], ",")
	if len(inputs) != len(m.Positions) {
		return m, fmt.Errorf("%d positions; there are %d inputs", len(inputs), len(m.Positions))
	}
	for i, input := range inputs {
		topic := Topic(i).String()
		name, next, _ := strings.Cut(input, "=")
		if name != topic {
			return m, fmt.Errorf("position %d is of %s, want %s", i, quoteString(name), topic)
		}
		if m.Positions[i], err = parseCount("the position of "+topic, next); err != nil {
			return m, err
		}
	}
	return m, nil
}

// parseCount takes 0 or a positive decimal without sign or leading zeros, so that a text has one
// reading and a reading one text.
func parseCount(what, text string) (int64, error) {
	v, err := strconv.ParseInt(text, 10, 64)
	if err != nil || v < 0 || strconv.FormatInt(v, 10) != text {
		return 0, fmt.Errorf("%s is %s, want a decimal in 0..2^63-1", what, quoteString(text))
	}
	return v, nil
}
