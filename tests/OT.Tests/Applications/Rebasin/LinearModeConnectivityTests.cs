using OT.Applications.Rebasin;
using OT.Neural;
using OT.Numerics;
using OT.Testing;
using OT.Tests.Neural;
using Xunit;

namespace OT.Tests.Applications.Rebasin;

public class LinearModeConnectivityTests
{
    [Fact]
    public void The_report_is_its_definition_and_the_barrier_is_not_negative() =>
        Law.Check(
            NetCase.Any(),
            net =>
            {
                Mlp a = net.Net(1),
                    b = net.Net(2);
                LearningTask task = LearningTask.Classification(net.Examples(), net.Labels());
                BarrierReport report = LinearModeConnectivity.Evaluate(a, b, task, 5);
                Assert.Equal([0, 0.25, 0.5, 0.75, 1], report.Positions.ToArray());
                double barrier = 0,
                    first = task.Evaluate(a).Loss,
                    last = task.Evaluate(b).Loss;
                for (int k = 0; k < 5; k++)
                {
                    (double loss, double accuracy) = task.Evaluate(Mlp.Interpolate(a, b, k / 4.0));
                    Assert.Equal((loss, accuracy), (report.Losses[k], report.Accuracies[k]));
                    barrier = Math.Max(barrier, loss - (first * (1 - (k / 4.0))) - (last * k / 4.0));
                }
                Assert.True(report.Barrier >= 0);
                Approx.Equal(barrier, report.Barrier, 1e-13 * (first + last + barrier), "barrier");
                Assert.Equal(report.Accuracies.Min(), report.LowestAccuracy);
            }
        );

    [Fact]
    public void SelfDistanceZero()
    {
        // A copy with its units renumbered: far before, the same network after alignment.
        var random = new SeededRandom(6);
        Mlp b = Mlp.Random([4, 9, 9, 3], Activation.Relu, random),
            a = b.Permute([random.NextPermutation(9), random.NextPermutation(9)]);
        Matrix x = NetCase.Normals(200, 4, random);
        Matrix y = b.Forward(x);
        LearningTask task = LearningTask.Regression(x, y);
        double before = LinearModeConnectivity.Evaluate(a, b, task).Barrier;
        foreach (RebasinResult result in (RebasinResult[])[WeightMatching.Align(a, b), new SinkhornRebasin().Align(a, b)])
        {
            Assert.Equal(0, result.Distance);
            // Points of a segment between equal networks differ by the rounding of (1 − t)θ + tθ.
            Assert.InRange(LinearModeConnectivity.Evaluate(result.Aligned, b, task).Barrier, 0, 1e-25);
        }
        Assert.True(before > 0.01, $"{before}");
    }

    [Fact]
    public void Arguments_are_checked()
    {
        var net = new NetCase(3, 4, 2, 2, 5, 1, Activation.Relu);
        LearningTask task = LearningTask.Classification(net.Examples(), net.Labels());
        Assert.Throws<ArgumentOutOfRangeException>(() => LinearModeConnectivity.Evaluate(net.Net(1), net.Net(2), task, 1));
        Assert.Throws<ArgumentException>(() => LinearModeConnectivity.Evaluate(net.Net(), (net with { Hidden = 3 }).Net(), task));
        Assert.Throws<ArgumentNullException>(() => LinearModeConnectivity.Evaluate(net.Net(1), net.Net(2), null!));
    }
}
