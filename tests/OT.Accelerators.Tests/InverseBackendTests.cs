using OT.Backends;
using OT.Geometries;
using OT.Numerics;
using OT.Problems;
using OT.Solvers.Inverse;
using OT.Testing;
using Xunit;

namespace OT.Accelerators.Tests;

/// <summary>Learned costs do not depend on where the plans are made.</summary>
[Collection(NativePaths.Name)]
public sealed class InverseBackendTests
{
    [Theory]
    [InlineData("native")]
    [InlineData("blas")]
    [InlineData("opencl")]
    public void Every_back_end_learns_the_same_cost(string name)
    {
        BackendCandidate candidate = BackendCatalog.Describe().Single(c => c.Name == name);
        if (!candidate.IsUsable)
            Assert.Skip($"{name}: {candidate.Reason}");
        var random = new SeededRandom(4);
        double[] x = [.. Enumerable.Range(0, 80 * 20).Select(_ => random.NextNormal())];
        double[] y = [.. x.Select((value, k) => k % 20 < 3 ? (0.7 * value) + (0.7 * random.NextNormal()) : random.NextNormal())];
        (Matrix source, Matrix target) = (new Matrix(80, 20, x), new Matrix(80, 20, y));
        var listed = new CostMatrix(
            80,
            80,
            [.. Enumerable.Range(0, 6400).Select(k => Math.Abs(x[k / 80 * 20] - y[k % 80 * 20]))]
        );
        InverseProblem[] problems =
        [
            InverseProblem.FromPairs(source, target) with
            {
                Lambda = 0.3,
            },
            new InverseProblem(CostDictionary.Of(listed), ObservedCoupling.OfPairs(80)) { Lambda = 0.01 },
        ];
        using var managed = new ManagedBackend(1);
        using IBackend backend = BackendCatalog.Open(name, threads: 1);
        foreach (InverseProblem problem in problems)
        {
            var options = new InverseTransportOptions { Tolerance = 1e-8 };
            InverseTransportResult expected = new InverseTransport(options, managed).Solve(problem),
                result = new InverseTransport(options, backend).Solve(problem);
            Assert.True(result.Converged, $"{result.Status}: {result.Message}");
            Assert.NotEmpty(expected.Support);
            Approx.Equal(expected.Theta.AsSpan(), result.Theta.AsSpan(), 1e-6, "theta");
        }
    }
}
