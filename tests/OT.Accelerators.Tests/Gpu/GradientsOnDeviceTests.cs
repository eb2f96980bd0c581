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

/// <summary>Derivatives in points by products with plans on the device, beside sums over pairs on the host.</summary>
public sealed class GradientsOnDeviceTests
{
    /// <summary>Products are made on the device for squared Euclidean costs and for them alone.</summary>
    public static TheoryData<string, bool> Kinds =>
        new()
        {
            { "points1", true },
            { "points3", true },
            { "points7", true },
            { "points far away", true },
            { "half squared", true },
            { "euclidean", false },
            { "cosine", false },
        };

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Of_a_distance_they_are_those_of_the_host(string kind, bool onDevice)
    {
        using OpenClBackend backend = OpenCl.Open();
        foreach ((int n, int m) in ((int, int)[])[(1, 1), (1, 6), (70, 90), (150, 40)])
        {
            LinearProblem problem = Problem(kind, n, m);
            TransportResult result = new Sinkhorn(new SinkhornOptions { Tolerance = 1e-8 }, backend).Solve(problem);
            var gradient = EntropicGradient.Of(result);
            TimeSpan before = backend.Timings.Upload;
            PointGradient actual = gradient.Points(backend);
            Assert.Equal(onDevice, backend.Timings.Upload > before);
            Same(gradient.Points(), actual, (PointCloud)problem.Geometry, $"{kind}, {n} x {m}");
        }
        Assert.Equal(0, backend.AllocatedBytes);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Of_a_divergence_they_are_those_of_the_host(string kind, bool onDevice)
    {
        using OpenClBackend backend = OpenCl.Open();
        LinearProblem problem = Problem(kind, 60, 45);
        DivergenceResult result = new SinkhornDivergence(new SinkhornOptions { Tolerance = 1e-8 }, backend).Solve(problem);
        TimeSpan before = backend.Timings.Upload;
        PointGradient actual = result.Points(backend);
        Assert.Equal(onDevice, backend.Timings.Upload > before);
        Same(result.Points(), actual, (PointCloud)problem.Geometry, kind);
        Assert.Equal(0, backend.AllocatedBytes);
    }

    [Fact]
    public void They_are_cancelled_and_refused_as_on_the_host()
    {
        using OpenClBackend backend = OpenCl.Open();
        LinearProblem problem = Problem("points3", 20, 20);
        EntropicGradient gradient = EntropicGradient.Of(new Sinkhorn(backend: backend).Solve(problem));
        Assert.ThrowsAny<OperationCanceledException>(() => gradient.Points(backend, new CancellationToken(canceled: true)));
        EntropicGradient ofMatrix = EntropicGradient.Of(new Sinkhorn(backend: backend).Solve(Problem("doubles", 5, 5)));
        Assert.Throws<NotSupportedException>(() => ofMatrix.Points(backend));
        Assert.Equal(0, backend.AllocatedBytes);
    }

    static LinearProblem Problem(string kind, int n, int m)
    {
        var random = new SeededRandom(3);
        return new LinearProblem(
            SomeGeometry.Of(kind, n, m),
            OT.Measure.Of(SomeGeometry.Weights(random, n, 5)),
            OT.Measure.Of(SomeGeometry.Weights(random, m, 5))
        )
        {
            Regularizer = Regularizer.Entropy(Epsilon.Absolute(0.2)),
        };
    }

    /// <summary>Points of a mass of 1 about their mean: sums of products round by a few units of the clouds' extent.</summary>
    static void Same(PointGradient expected, PointGradient actual, PointCloud cloud, string what)
    {
        double extent = 0;
        foreach (Matrix points in (Matrix[])[cloud.Source, cloud.Target])
        {
            foreach (double x in points.Values)
                extent = Math.Max(extent, Math.Abs(x - cloud.Source[0, 0]));
        }
        double allowed = 1e-13 * (1 + extent) * (1 + expected.LargestSlope);
        Approx.Equal(expected.Source.Values, actual.Source.Values, allowed, $"source, {what}");
        Approx.Equal(expected.Target.Values, actual.Target.Values, allowed, $"target, {what}");
        Approx.Equal(expected.LargestSlope, actual.LargestSlope, 1e-14 * expected.LargestSlope, $"slope, {what}");
    }
}
