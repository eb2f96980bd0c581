using OT.Neural;
using OT.Numerics;
using OT.Testing;
using Xunit;

namespace OT.Tests.Neural;

public class LossTests
{
    [Fact]
    public void GradientVsFiniteDifference() =>
        Law.Check(
            NetCase.Any(),
            net =>
            {
                Matrix y = NetCase.Normals(net.Batch, net.Outputs, new SeededRandom(net.Seed)),
                    t = NetCase.Normals(net.Batch, net.Outputs, new SeededRandom(net.Seed + 1));
                int[] labels = net.Labels();
                Matrix Outputs(double[] values) => new(net.Batch, net.Outputs, values);
                var gradient = new double[y.Values.Length];
                Loss.SoftmaxCrossEntropy(y, labels, gradient);
                Differences.Check(
                    v => Loss.SoftmaxCrossEntropy(Outputs(v), labels),
                    y.Values.ToArray(),
                    gradient,
                    net.Seed,
                    "cross-entropy"
                );
                Loss.MeanSquaredError(y, t, gradient);
                Differences.Check(v => Loss.MeanSquaredError(Outputs(v), t), y.Values.ToArray(), gradient, net.Seed, "squares");
            },
            fullCount: 2000
        );

    [Fact]
    public void Closed_forms()
    {
        // Equal logits: log k. A right and a wrong answer that are certain: 0 and the difference.
        Assert.Equal(Math.Log(3), Loss.SoftmaxCrossEntropy(new Matrix(1, 3), [2]), 1e-15);
        var gradient = new double[4];
        var certain = Matrix.From([1000, -1000], [1e308, -1e300]);
        Assert.Equal(1e300, Loss.SoftmaxCrossEntropy(Matrix.From([0, -2e300]), [1]) / 2, 1e285);
        Assert.Equal(0, Loss.SoftmaxCrossEntropy(certain, [0, 0], gradient));
        Assert.Equal([0, 0, 0, 0], gradient);
        Assert.Equal(1000, Loss.SoftmaxCrossEntropy(Matrix.From([1000, -1000], [1000, -1000]), [0, 1], gradient));
        Assert.Equal([0, 0, 0.5, -0.5], gradient);
        Assert.Equal(2.5, Loss.MeanSquaredError(Matrix.From([1, 2]), Matrix.From([0, 4]), gradient.AsSpan(0, 2)));
        Assert.Equal([1, -2], gradient[..2]);
    }

    [Fact]
    public void LengthMismatchThrows()
    {
        var y = new Matrix(2, 3);
        Assert.Throws<ArgumentException>(() => Loss.SoftmaxCrossEntropy(y, [0]));
        Assert.Throws<ArgumentException>(() => Loss.SoftmaxCrossEntropy(y, [0, 1], new double[5]));
        Assert.Throws<ArgumentOutOfRangeException>(() => Loss.SoftmaxCrossEntropy(y, [0, 3]));
        Assert.Throws<ArgumentException>(() => Loss.MeanSquaredError(y, new Matrix(3, 2)));
        Assert.Throws<ArgumentException>(() => Loss.MeanSquaredError(y, y, new double[5]));
    }
}
