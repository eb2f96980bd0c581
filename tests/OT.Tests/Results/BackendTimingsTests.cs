using OT.Backends;
using OT.Geometries;
using OT.Problems;
using OT.Results;
using OT.Solvers.Convex;
using OT.Solvers.Entropic;
using OT.Testing;
using Xunit;

namespace OT.Tests.Results;

/// <summary>A result tells setup and transfer of its back end apart from the rest, and of its own solve alone.</summary>
public class BackendTimingsTests
{
    static readonly TransportCase s_case = new(6, 5, 3, CaseKind.Plain);

    static LinearProblem Problem(Regularizer regularizer) =>
        new(new PointCloud(s_case.Source(), s_case.Target()), Measure.Of(s_case.A()), Measure.Of(s_case.B()))
        {
            Regularizer = regularizer,
        };

    [Fact]
    public void A_back_end_that_counts_is_told_apart()
    {
        using var backend = new CountingBackend();
        LinearProblem entropic = Problem(Regularizer.Entropy());
        backend.Bind(entropic.Geometry).Dispose(); // somebody else's
        Check(() => new Sinkhorn(null, backend).Solve(entropic));
        Check(() => new SparseNewton(null, backend).Solve(entropic));
        Check(() => new MirrorSinkhorn(null, backend).Solve(Problem(Regularizer.None)));
        Check(() => new SinkhornDivergence(null, backend).Solve(entropic));

        void Check(Func<SolverResult> solve)
        {
            int before = backend.Binds;
            BackendTimings timings = solve().Timings;
            int own = backend.Binds - before;
            Assert.True(own > 0);
            Assert.Equal(TimeSpan.FromTicks(3 * own), timings.Setup);
            Assert.Equal(TimeSpan.FromTicks(2 * own), timings.Transfer);
            Assert.True(timings.Solve > TimeSpan.Zero);
            Assert.Equal(timings.Setup + timings.Transfer + timings.Solve, timings.Total);
        }
    }

    [Fact]
    public void No_part_is_negative_where_a_back_end_counts_more_than_the_clock()
    {
        using var backend = new CountingBackend { Ticks = TimeSpan.TicksPerHour };
        Assert.Equal(TimeSpan.Zero, new Sinkhorn(null, backend).Solve(Problem(Regularizer.Entropy())).Timings.Solve);
    }

    [Fact]
    public void The_managed_back_end_has_neither_setup_nor_transfer()
    {
        BackendTimings timings = new Sinkhorn().Solve(Problem(Regularizer.Entropy())).Timings;
        Assert.Equal((TimeSpan.Zero, TimeSpan.Zero), (timings.Setup, timings.Transfer));
        Assert.True(timings.Solve > TimeSpan.Zero);
    }

    /// <summary>Managed, and pretends that each operator took some time to make ready.</summary>
    sealed class CountingBackend : IBackend
    {
        readonly ManagedBackend _inner = new(1);

        public int Binds { get; private set; }

        public long Ticks { get; init; } = 1;

        public BackendTimings Spent => new(TimeSpan.FromTicks(3 * Ticks * Binds), TimeSpan.FromTicks(2 * Ticks * Binds), default);

        public string Name => _inner.Name;

        public int Threads => _inner.Threads;

        public long MemoryLimit => _inner.MemoryLimit;

        public long EstimateBytes(Geometry geometry, Precision precision) => _inner.EstimateBytes(geometry, precision);

        public ICostOperator Bind(
            Geometry geometry,
            Precision precision = Precision.Float64,
            CancellationToken cancellation = default
        )
        {
            Binds++;
            return _inner.Bind(geometry, precision, cancellation);
        }

        public void Dispose() => _inner.Dispose();
    }
}
