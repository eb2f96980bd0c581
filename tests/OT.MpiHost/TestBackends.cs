using OT.Backends;
using OT.Geometries;

namespace OT.MpiHost;

/// <summary>A back end for shapes with at least as many rows as ranks; the others run in one process, for they are refused.</summary>
sealed class WhereRowsSuffice(IBackend backend, int rows) : IBackend
{
    readonly ManagedBackend _small = new(1);

    public string Name => backend.Name;

    public int Threads => backend.Threads;

    public long MemoryLimit => backend.MemoryLimit;

    public long EstimateBytes(Geometry geometry, Precision precision) => backend.EstimateBytes(geometry, precision);

    public ICostOperator Bind(
        Geometry geometry,
        Precision precision = Precision.Float64,
        CancellationToken cancellation = default
    ) => (geometry.Rows < rows ? _small : backend).Bind(geometry, precision, cancellation);

    public void Dispose()
    {
        backend.Dispose();
        _small.Dispose();
    }
}

/// <summary>A back end whose operators show nothing but the interface: as those of a device, without a pass for rows and columns at once.</summary>
sealed class TwoPassBackend(IBackend backend) : IBackend
{
    public string Name => backend.Name;

    public int Threads => backend.Threads;

    public long MemoryLimit => backend.MemoryLimit;

    public long EstimateBytes(Geometry geometry, Precision precision) => backend.EstimateBytes(geometry, precision);

    public ICostOperator Bind(
        Geometry geometry,
        Precision precision = Precision.Float64,
        CancellationToken cancellation = default
    ) => new Plain(backend.Bind(geometry, precision, cancellation));

    public void Dispose() => backend.Dispose();

    sealed class Plain(ICostOperator op) : ICostOperator
    {
        public int Rows => op.Rows;

        public int Columns => op.Columns;

        public string Description => op.Description;

        public bool Interrupted => op.Interrupted;

        public double PlanMass => op.PlanMass;

        public void SoftMinRows(ReadOnlySpan<double> g, ReadOnlySpan<double> logB, double epsilon, Span<double> f) =>
            op.SoftMinRows(g, logB, epsilon, f);

        public void SoftMinColumns(ReadOnlySpan<double> f, ReadOnlySpan<double> logA, double epsilon, Span<double> g) =>
            op.SoftMinColumns(f, logA, epsilon, g);

        public void ApplyPlan(in GibbsPlan plan, ReadOnlySpan<double> vectors, Span<double> result, bool transpose = false) =>
            op.ApplyPlan(plan, vectors, result, transpose);

        public double TransportCost(in GibbsPlan plan, Span<double> rowSums, Span<double> columnSums) =>
            op.TransportCost(plan, rowSums, columnSums);

        public void CostRows(int start, int count, Span<double> block) => op.CostRows(start, count, block);

        public int Iterate(int count, SinkhornStep step, Span<double> f, Span<double> g, out double error) =>
            op.Iterate(count, step, f, g, out error);

        public void Dispose() => op.Dispose();
    }
}
