using OT.Accelerators.Gpu;
using OT.Accelerators.Gpu.OpenCl;
using OT.Backends;
using OT.Geometries;
using OT.Numerics;
using OT.Problems;
using OT.Results;
using OT.Solvers.Entropic;
using OT.Testing;
using Xunit;

namespace OT.Accelerators.Tests.Gpu;

/// <summary><see cref="SinkhornBatch"/> given a device: each problem has the answer that it has alone, whatever stands beside it.</summary>
public sealed class SinkhornBatchOnDeviceTests
{
    const double Tolerance = 1e-9;

    /// <summary>Small and large ones, beyond the small engine's 4096 pairs and beyond the 65 536 of a device's corner.</summary>
    static readonly (int N, int M)[] Shapes =
    [
        (1, 1),
        (1, 9),
        (7, 1),
        (20, 20),
        (3, 130),
        (65, 64),
        (90, 80),
        (2, 2),
        (260, 256),
        (5, 4),
    ];

    [Theory]
    [InlineData("doubles", 0.1)]
    [InlineData("doubles", 0.005)]
    [InlineData("forbidden", 0.1)]
    [InlineData("points3", 0.05)]
    [InlineData("penalised", 0.1)]
    [InlineData("bounded", 0.1)]
    public void BatchEqualsSingles(string kind, double share)
    {
        ProblemBatch batch = Batch(kind, share);
        var options = new SinkhornOptions { Tolerance = Tolerance };
        using OpenClBackend backend = OpenCl.Open();
        SinkhornBatchResult result = new SinkhornBatch(options, backend: backend).Solve(batch);
        Assert.Equal(0, backend.AllocatedBytes);
        for (int k = 0; k < batch.Count; k++)
            SameAnswer(new Sinkhorn(options).Solve(batch[k]), result, k);
        Assert.Equal(kind != "bounded", result[3].Backend.StartsWith(backend.Name + ", many problems", StringComparison.Ordinal));
    }

    /// <summary>What differs is what an error of the marginals within the tolerance leaves open.</summary>
    static void SameAnswer(TransportResult alone, SinkhornBatchResult result, int k)
    {
        TransportResult one = result[k];
        string what = $"problem {k}, {one.Problem.A.Count} x {one.Problem.B.Count}";
        Assert.True(alone.Status == result.Statuses[k], $"{what}: {result.Statuses[k]}, alone {alone.Status}; {one.Message}");
        Assert.Equal(alone.Epsilon, result.Epsilons[k], 1e-14 * alone.Epsilon);
        double mass = Math.Max(one.Problem.A.Mass, one.Problem.B.Mass),
            potential = Approx.CostScale(one.Problem.Geometry) + (40 * alone.Epsilon);
        if (alone.Status == SolverStatus.Infeasible)
            return;
        // A plan whose marginals are off by δ has a value that is off by δ times the potentials.
        double slack = 4 * Tolerance * mass * potential;
        Approx.Equal(alone.Value, one.Value, slack, $"value, {what}");
        Assert.InRange(result.MarginalErrors[k], 0, Tolerance * mass * (1 + 1e-9));
        Certificate certificate = one.Certify();
        // Exponents of up to 2 potential/ε are rounded in both.
        double rounding = 8 * Approx.Unit * (one.Problem.A.Count + one.Problem.B.Count + (potential / alone.Epsilon)) * mass;
        Approx.Equal(one.MarginalError, certificate.MarginalError, rounding, $"certified error, {what}");
        if (certificate.DualValue is { } dual)
            Assert.InRange(one.Value, dual - slack, double.PositiveInfinity);
    }

    /// <summary>Ragged batches of every kind of case (huge costs, duplicate points, zero weights, forbidden pairs), at an ε that needs few iterations and one that needs many.</summary>
    [Theory]
    [InlineData(0.3)]
    [InlineData(0.01)]
    public void BatchEqualsSingles_of_any_kind(double share)
    {
        using OpenClBackend backend = OpenCl.Open();
        var options = new SinkhornOptions { Tolerance = Tolerance };
        Law.Check(
            Cases.Any(20),
            first =>
            {
                ProblemBatch batch = Ragged(first, 12) with { Regularizer = Regularizer.Entropy(Epsilon.RelativeToMean(share)) };
                SinkhornBatchResult result = new SinkhornBatch(options, backend: backend).Solve(batch);
                for (int k = 0; k < batch.Count; k++)
                    SameAnswer(new Sinkhorn(options).Solve(batch[k]), result, k);
            },
            12,
            200
        );
        Assert.Equal(0, backend.AllocatedBytes);
    }

    static ProblemBatch Ragged(TransportCase first, int count)
    {
        var random = new SeededRandom(first.Seed);
        CaseKind[] kinds = Enum.GetValues<CaseKind>();
        List<double> costs = [],
            a = [],
            b = [];
        List<int> offsetsA = [0],
            offsetsB = [0];
        for (int k = 0; k < count; k++)
        {
            var own = new TransportCase(
                1 + random.NextInt(first.Rows + 30),
                1 + random.NextInt(first.Columns + 30),
                first.Seed + (ulong)k,
                kinds[random.NextInt(kinds.Length)]
            );
            own = k == 0 ? first : own;
            // Signed costs may have no mean that an ε can be a share of.
            CostStatistics statistics = new CostMatrix(own.Costs()).Statistics;
            if (!(statistics.Mean >= 1e-3 * statistics.MaxMagnitude))
                own = own with { Kind = CaseKind.Plain };
            LinearProblem problem = own.Exact();
            costs.AddRange(((CostMatrix)problem.Geometry).Doubles!);
            a.AddRange(problem.A.Weights);
            b.AddRange(problem.B.Weights);
            offsetsA.Add(a.Count);
            offsetsB.Add(b.Count);
        }
        return ProblemBatch.OfCosts([.. costs], [.. a], [.. offsetsA], [.. b], [.. offsetsB]);
    }

    /// <summary>The small engine would mend any start: that it has next to nothing left to do shows that the device's is good.</summary>
    [Fact]
    public void The_host_finds_the_work_done()
    {
        ProblemBatch batch = Batch("doubles", 0.1);
        int[] problems = [.. Enumerable.Range(0, batch.Count).Where(k => batch.Rows(k) * batch.Columns(k) <= 1 << 16)];
        double[] targets = [.. Enumerable.Range(0, batch.Count).Select(k => Tolerance * batch[k].A.Mass)];
        var made = new int[batch.Count];
        using OpenClBackend backend = OpenCl.Open();
        ((IBatchBackend)backend).Iterate(
            batch,
            problems,
            [.. Enumerable.Repeat(0.1, batch.Count)],
            targets,
            399,
            new double[batch.OffsetsA[^1]],
            new double[batch.OffsetsB[^1]],
            made,
            default
        );
        SinkhornBatchResult result = new SinkhornBatch(new SinkhornOptions { Tolerance = Tolerance }, backend: backend).Solve(
            batch
        );
        foreach (int k in problems)
        {
            Assert.InRange(made[k], 1, 398);
            Assert.InRange(result.Iterations[k], made[k] + 1, made[k] + 2);
        }
        Assert.True(problems.Max(k => made[k]) > 10);
    }

    [Fact]
    public void Shared_costs_and_empty_bins_are_as_alone()
    {
        const int n = 12,
            m = 9,
            count = 30;
        var random = new SeededRandom(4);
        Geometry geometry = SomeGeometry.Of("points2", n, m);
        double[] a = [.. Enumerable.Range(0, count).SelectMany(_ => SomeGeometry.Weights(random, n, 3))],
            b = [.. Enumerable.Range(0, count).SelectMany(_ => SomeGeometry.Weights(random, m, 3))];
        Assert.Contains(0, a);
        var batch = ProblemBatch.OfMarginals(geometry, new Matrix(count, n, a), new Matrix(count, m, b));
        var options = new SinkhornOptions { Tolerance = Tolerance };
        using OpenClBackend backend = OpenCl.Open();
        SinkhornBatchResult result = new SinkhornBatch(options, backend: backend).Solve(batch);
        for (int k = 0; k < count; k++)
            SameAnswer(new Sinkhorn(options).Solve(batch[k]), result, k);
    }

    [Fact]
    public void A_bad_problem_leaves_the_others_alone()
    {
        double[] costs = [1, 2, 3, 4, 0, 1, 1, 0, 1, double.PositiveInfinity, 5, 6, 7, 8],
            a = [0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.25, 0.75],
            b = [0.5, 0.5, 0.5, 0.6, 1, 0.25, 0.75];
        var batch = ProblemBatch.OfCosts(costs, a, [0, 2, 4, 6, 8], b, [0, 2, 4, 5, 7]);
        using OpenClBackend backend = OpenCl.Open();
        SinkhornBatchResult result = new SinkhornBatch(backend: backend).Solve(batch);
        SolverStatus no = SolverStatus.Infeasible,
            yes = SolverStatus.Converged;
        Assert.Equal([yes, no, no, yes], result.Statuses.ToArray());
        Assert.Contains("1.1", result[1].Message, StringComparison.Ordinal);
        Assert.Contains("Row 1", result[2].Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_ceiling_cuts_the_batch_and_changes_no_bit()
    {
        ProblemBatch batch = Batch("doubles", 0.1);
        using OpenClBackend free = OpenCl.Open();
        SinkhornBatchResult whole = new SinkhornBatch(backend: free).Solve(batch);
        // Room for the largest problem of a corner, 90 x 80, and for the one beyond, which is bound by itself.
        long corner = (sizeof(double) * 90 * 80) + GpuBatch.BytesBesideCosts(90, 80),
            alone = free.EstimateBytes(batch.GeometryOf(8), Precision.Float64);
        using (var tight = new OpenClBackend(Math.Max(corner, alone)))
        {
            SinkhornBatchResult cut = new SinkhornBatch(backend: tight).Solve(batch);
            Assert.Equal(whole.AllPotentials().F, cut.AllPotentials().F);
            Assert.Equal(whole.Values(), cut.Values());
        }
        using var tooTight = new OpenClBackend(corner - 1);
        var refusal = Assert.Throws<BackendException>(() => new SinkhornBatch(backend: tooTight).Solve(batch));
        Assert.Contains("problem 6 of the batch, 90 x 80", refusal.Message, StringComparison.Ordinal);
        Assert.Contains("limit", refusal.Message, StringComparison.Ordinal);
        Assert.Equal(0, tooTight.AllocatedBytes);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_batch_that_is_stopped_gives_usable_iterates(bool cancelled)
    {
        ProblemBatch batch = Batch("forbidden", 0.1);
        using OpenClBackend backend = OpenCl.Open();
        SinkhornBatchResult result = new SinkhornBatch(
            new SinkhornOptions { TimeLimit = cancelled ? Timeout.InfiniteTimeSpan : TimeSpan.Zero },
            backend: backend
        ).Solve(batch, new CancellationToken(cancelled));
        for (int k = 0; k < batch.Count; k++)
        {
            Assert.Equal(cancelled ? SolverStatus.Cancelled : SolverStatus.TimeLimit, result.Statuses[k]);
            TransportResult one = result[k];
            Laws.PlanIsFeasible(one.Certify().FeasiblePlan, one.Problem);
        }
        Assert.Equal(0, backend.AllocatedBytes);
    }

    /// <summary>One iteration is never the device's: the host has to see the error. Options that only the large engine has go there.</summary>
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(5)]
    public void Limits_are_those_of_a_problem_alone(int most)
    {
        ProblemBatch batch = Batch("doubles", 0.05);
        using OpenClBackend backend = OpenCl.Open();
        foreach (Acceleration acceleration in (Acceleration[])[Acceleration.Auto, Acceleration.None])
        {
            var options = new SinkhornOptions
            {
                MaxIterations = most,
                Tolerance = Tolerance,
                Acceleration = acceleration,
            };
            SinkhornBatchResult result = new SinkhornBatch(options, backend: backend).Solve(batch);
            for (int k = 0; k < batch.Count; k++)
            {
                Assert.InRange(result.Iterations[k], 0, most);
                if (result.Statuses[k] == SolverStatus.Converged)
                    Assert.InRange(result.MarginalErrors[k], 0, Tolerance * 1.001 * result[k].Problem.A.Mass);
                else
                    Assert.Equal(SolverStatus.IterationLimit, result.Statuses[k]);
            }
        }
    }

    /// <summary>A back end that iterates no batches solves each problem as it does alone.</summary>
    [Fact]
    public void Other_back_ends_give_their_own_bits()
    {
        ProblemBatch batch = Batch("points3", 0.1);
        using var managed = new ManagedBackend(2);
        SinkhornBatchResult result = new SinkhornBatch(backend: managed).Solve(batch);
        for (int k = 0; k < batch.Count; k++)
        {
            TransportResult alone = new Sinkhorn(backend: managed).Solve(batch[k]);
            Assert.Equal(alone.Value, result.Values()[k]);
            Assert.Equal(alone.Potentials!.F, result.SourcePotential(k));
        }
    }

    [Fact]
    public void A_device_without_doubles_is_refused_as_for_one_problem()
    {
        using OpenClBackend backend = OpenCl.Open(withDoubles: false);
        var refusal = Assert.Throws<BackendException>(() => new SinkhornBatch(backend: backend).Solve(Batch("doubles", 0.1)));
        Assert.Contains("no doubles", refusal.Message, StringComparison.Ordinal);
        Assert.Equal(0, backend.AllocatedBytes);
    }

    static ProblemBatch Batch(string kind, double share)
    {
        var random = new SeededRandom(8);
        List<double> a = [],
            b = [],
            costs = [],
            x = [],
            y = [];
        List<int> offsetsA = [0],
            offsetsB = [0];
        string geometryKind = kind is "penalised" or "bounded" or "points3" ? "doubles" : kind;
        foreach ((int n, int m) in Shapes)
        {
            a.AddRange(SomeGeometry.Weights(random, n, 5));
            b.AddRange(SomeGeometry.Weights(random, m, 5));
            offsetsA.Add(a.Count);
            offsetsB.Add(b.Count);
            Geometry geometry = SomeGeometry.Of(geometryKind, n, m);
            var row = new double[m];
            for (int i = 0; i < n; i++)
            {
                geometry.CostRow(i, row);
                costs.AddRange(row);
            }
            x.AddRange(SomeGeometry.Draw(random, 3 * n));
            y.AddRange(SomeGeometry.Draw(random, 3 * m));
        }
        ProblemBatch batch =
            kind == "points3"
                ? ProblemBatch.OfPoints(
                    new Matrix(a.Count, 3, [.. x]),
                    [.. offsetsA],
                    new Matrix(b.Count, 3, [.. y]),
                    [.. offsetsB],
                    [.. a],
                    [.. b]
                )
                : ProblemBatch.OfCosts([.. costs], [.. a], [.. offsetsA], [.. b], [.. offsetsB]);
        batch = batch with { Regularizer = Regularizer.Entropy(Epsilon.Absolute(share)) };
        return kind switch
        {
            "penalised" => batch with
            {
                PenaltyA = MarginalPenalty.KullbackLeibler(1),
                PenaltyB = MarginalPenalty.KullbackLeibler(2),
            },
            "bounded" => batch with { PenaltyB = MarginalPenalty.TotalVariation(0.3) },
            _ => batch,
        };
    }
}
