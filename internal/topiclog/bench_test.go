package topiclog

import (
	"os"
	"strings"
	"testing"

	"hongbao/schemas"
)

// BenchmarkRead is the whole way of 300,000 records of 100 bytes on a real broker, written once and
// read again and again. It needs HONGBAO_TEST_BROKERS.
func BenchmarkRead(b *testing.B) {
	brokers := os.Getenv("HONGBAO_TEST_BROKERS")
	if brokers == "" {
		b.Skip("HONGBAO_TEST_BROKERS names no broker")
	}
	c := dial(b, Config{Brokers: strings.Fields(brokers), Prefix: prefix(b)})
	topics(b, c)
	w, err := c.Writer(b.Context(), WriterConfig{}, schemas.TopicEvents)
	if err != nil {
		b.Fatal(err)
	}
	defer w.Close()
	const n = 300_000
	value := make([]byte, 100)
	for i := range n {
		if err := w.Write(b.Context(), schemas.TopicEvents, ByKey, schemas.AppendKey(nil, int64(i+1)), value, nil); err != nil {
			b.Fatal(err)
		}
	}
	if err := w.Flush(b.Context()); err != nil {
		b.Fatal(err)
	}
	seen := 0
	b.ReportAllocs()
	for b.Loop() {
		if err := c.Read(b.Context(), schemas.TopicEvents, ReadOptions{}, func(*Record) error { seen++; return nil }); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(seen)/b.Elapsed().Seconds(), "records/s")
	if seen != n*b.N {
		b.Errorf("read %d records, want %d", seen, n*b.N)
	}
}
