package transport

import (
	"context"
	"log/slog"
	"time"

	"github.com/cloudlb/cloudlb"
)

// logger writes the caller's log; the zero value is silent.
type logger struct{ l *slog.Logger }

func (g logger) enabled(ctx context.Context, level slog.Level) bool {
	return g.l != nil && g.l.Enabled(ctx, level)
}

func (g logger) attempt(call *Call, start time.Time) {
	if !g.enabled(call.ctx, slog.LevelDebug) {
		return
	}
	attrs := []slog.Attr{
		slog.String("service", call.client.service.Name),
		slog.String("operation", call.op.Name),
		slog.Int("attempt", call.number),
		slog.Duration("duration", time.Since(start)),
	}
	if call.last != nil {
		attrs = append(attrs, slog.Any("error", call.last))
	}
	g.l.LogAttrs(call.ctx, slog.LevelDebug, "cloudlb attempt", attrs...)
}

func (g logger) failed(call *Call, e *cloudlb.Error) {
	if g.enabled(call.ctx, slog.LevelWarn) {
		g.l.LogAttrs(call.ctx, slog.LevelWarn, "cloudlb call failed",
			slog.Duration("elapsed", time.Since(call.started)), slog.Any("error", e))
	}
}
