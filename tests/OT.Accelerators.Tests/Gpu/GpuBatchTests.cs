using OT.Accelerators.Gpu;
using OT.Accelerators.Gpu.OpenCl;
using OT.Backends;
using OT.Geometries;
using OT.Numerics;
using OT.Problems;
using OT.Testing;
using Xunit;

namespace OT.Accelerators.Tests.Gpu;

/// <summary>A batch on a device beside its problems alone on the managed back end.</summary>
public sealed class GpuBatchTests
{
    static readonly (int N, int M)[] Shapes = [(1, 1), (1, 9), (7, 1), (20, 20), (3, 130), (130, 3), (65, 64), (2, 2)];

    public static TheoryData<string> Kinds => ["balanced", "penalised", "bounded", "forbidden", "points"];

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Each_problem_is_iterated_as_alone(string kind)
    {
        using OpenClDevice device = Device();
        IterateAsAlone(device, kind);
    }

    internal static void IterateAsAlone(IGpuDevice device, string kind)
    {
        ProblemBatch batch = Batch(kind);
        double[] epsilons = [.. Enumerable.Range(0, batch.Count).Select(k => 0.05 * (1 + k))];
        const double tolerance = 1e-7;
        using (var onDevice = new GpuBatch(device, batch, All(batch), epsilons))
        {
            double[] targets = Targets(batch, tolerance);
            double[] f = new double[batch.OffsetsA[^1]],
                g = new double[batch.OffsetsB[^1]],
                errors = new double[batch.Count];
            int[] made = new int[batch.Count];
            Assert.True(onDevice.Iterate(500, targets, f, g, errors, made));
            using var managed = new ManagedBackend(1);
            for (int k = 0; k < batch.Count; k++)
            {
                (int n, int m) = (batch.Rows(k), batch.Columns(k));
                double[] expectedF = new double[n],
                    expectedG = new double[m];
                using ICostOperator op = managed.Bind(batch.GeometryOf(k));
                int expected = op.Iterate(500, Step(batch, k, epsilons[k], tolerance), expectedF, expectedG, out double error);
                string what = $"problem {k}, {n} x {m}";
                Assert.True(expected == made[k], $"{what}: {made[k]} iterations, {expected} alone");
                // Roundings of exponents, handed on from iteration to iteration without growth.
                double allowed = 1e-13 * (10 + expected);
                Approx.Equal(expectedF, f.AsSpan(batch.OffsetsA[k], n), allowed, $"f, {what}");
                Approx.Equal(expectedG, g.AsSpan(batch.OffsetsB[k], m), allowed, $"g, {what}");
                Approx.Equal(error, errors[k], allowed / epsilons[k], $"error, {what}");
            }
            double[] again = new double[f.Length];
            onDevice.Iterate(500, targets, again, new double[g.Length], errors, made);
            Assert.Equal(f, again);
        }
        Assert.Equal(0, device.AllocatedBytes);
    }

    [Fact]
    public void A_problem_that_is_not_finite_leaves_the_others_alone()
    {
        using OpenClDevice device = Device();
        ProblemBatch batch = Batch("balanced");
        double[] epsilons = [.. Enumerable.Repeat(0.1, batch.Count)];
        using var onDevice = new GpuBatch(device, batch, All(batch), epsilons);
        double[] f = new double[batch.OffsetsA[^1]],
            g = new double[batch.OffsetsB[^1]],
            errors = new double[batch.Count];
        int[] made = new int[batch.Count];
        g[batch.OffsetsB[3]] = double.NaN;
        Assert.True(onDevice.Iterate(50, new double[batch.Count], f, g, errors, made));
        Assert.Equal(0, made[3]);
        Assert.True(double.IsNaN(errors[3]));
        Assert.True(made[4] > 0 && double.IsFinite(errors[4]));
    }

    [Fact]
    public void A_cancelled_batch_keeps_what_was_given()
    {
        using OpenClDevice device = Device();
        ProblemBatch batch = Batch("balanced");
        using var onDevice = new GpuBatch(device, batch, All(batch), [.. Enumerable.Repeat(0.1, batch.Count)]);
        double[] f = [.. Enumerable.Range(0, batch.OffsetsA[^1]).Select(i => (double)i)],
            start = [.. f];
        int[] made = new int[batch.Count];
        double[] g = new double[batch.OffsetsB[^1]];
        Assert.False(
            onDevice.Iterate(
                50,
                new double[batch.Count],
                f,
                g,
                new double[batch.Count],
                made,
                new CancellationToken(canceled: true)
            )
        );
        Assert.Equal(start, f);
        Assert.All(made, count => Assert.Equal(0, count));
    }

    static int[] All(ProblemBatch batch) => [.. Enumerable.Range(0, batch.Count)];

    static double[] Targets(ProblemBatch batch, double tolerance) =>
        [.. All(batch).Select(k => tolerance * batch.WeightsA(k).ToArray().Sum())];

    static SinkhornStep Step(ProblemBatch batch, int k, double epsilon, double tolerance)
    {
        double[] a = batch.WeightsA(k).ToArray(),
            b = batch.WeightsB(k).ToArray();
        return new SinkhornStep
        {
            Epsilon = epsilon,
            A = a,
            B = b,
            LogA = Array.ConvertAll(a, Math.Log),
            LogB = Array.ConvertAll(b, Math.Log),
            TauA = batch.PenaltyA.Tau(epsilon),
            TauB = batch.PenaltyB.Tau(epsilon),
            BoundA = batch.PenaltyA.Bound,
            BoundB = batch.PenaltyB.Bound,
            Tolerance = tolerance * a.Sum(),
        };
    }

    static ProblemBatch Batch(string kind)
    {
        var random = new SeededRandom(8);
        List<double> a = [],
            b = [],
            costs = [],
            x = [],
            y = [];
        List<int> offsetsA = [0],
            offsetsB = [0];
        foreach ((int n, int m) in Shapes)
        {
            a.AddRange(SomeGeometry.Weights(random, n, 5));
            b.AddRange(SomeGeometry.Weights(random, m, 5));
            offsetsA.Add(a.Count);
            offsetsB.Add(b.Count);
            Geometry geometry = SomeGeometry.Of(kind == "forbidden" ? "forbidden" : "doubles", n, m);
            var row = new double[m];
            for (int i = 0; i < n; i++)
            {
                geometry.CostRow(i, row);
                costs.AddRange(row);
            }
            x.AddRange(SomeGeometry.Draw(random, 2 * n));
            y.AddRange(SomeGeometry.Draw(random, 2 * m));
        }
        if (kind == "points")
        {
            return ProblemBatch.OfPoints(
                new Matrix(a.Count, 2, [.. x]),
                [.. offsetsA],
                new Matrix(b.Count, 2, [.. y]),
                [.. offsetsB],
                [.. a],
                [.. b]
            );
        }
        ProblemBatch batch = ProblemBatch.OfCosts([.. costs], [.. a], [.. offsetsA], [.. b], [.. offsetsB]);
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

    static OpenClDevice Device()
    {
        OpenCl.Open().Dispose(); // or skip
        (nint platform, nint device) = LibOpenCl.Devices()[0];
        return new OpenClDevice(platform, device);
    }
}
