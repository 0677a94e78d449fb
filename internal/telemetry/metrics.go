package telemetry

import (
	"runtime"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// NewRegistry makes the registry of one process, with the collectors that every process
// has: the Go runtime, the process itself, and hongbao_build_info, whose value is always 1
// and whose labels say what runs.
func NewRegistry(version string) *prometheus.Registry {
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name:        "hongbao_build_info",
		Help:        "Always 1; the labels say which build runs.",
		ConstLabels: prometheus.Labels{"version": version, "go_version": runtime.Version()},
	})
	build.Set(1)
	registry := prometheus.NewRegistry()
	registry.MustRegister(
		build,
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	return registry
}

// LatencyBuckets are the upper bounds, in seconds, of every latency histogram, so that they
// can be added up over rooms: 1 ms to 16 s by doubling, with the 60 and 80 ms of the
// latency goals as bounds of their own.
func LatencyBuckets() []float64 {
	return []float64{
		0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.060, 0.080, 0.128,
		0.256, 0.512, 1.024, 2.048, 4.096, 8.192, 16.384,
	}
}
