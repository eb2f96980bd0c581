using OT.Neural;
using OT.Numerics;
using OT.Testing;
using Xunit;

namespace OT.Tests.Neural;

public class LearningTaskTests
{
    [Fact]
    public void GradientVsFiniteDifference() =>
        Law.Check(
            NetCase.Any(),
            net =>
            {
                Matrix x = net.Examples(),
                    targets = NetCase.Normals(net.Batch, net.Outputs, new SeededRandom(net.Seed + 3));
                int[] all = [.. Enumerable.Range(0, net.Batch)];
                foreach (
                    LearningTask task in (LearningTask[])
                        [LearningTask.Classification(x, net.Labels()), LearningTask.Regression(x, targets)]
                )
                {
                    double Value(double[] parameters)
                    {
                        Mlp moved = net.Net();
                        parameters.CopyTo(moved.Parameters);
                        return task.Evaluate(moved).Loss;
                    }
                    var gradient = new double[net.Net().Parameters.Length];
                    double loss = task.Gradient(net.Net(), all, gradient);
                    Approx.Equal(task.Evaluate(net.Net()).Loss, loss, 1e-13 * Math.Max(1, loss), "loss");
                    Differences.Check(Value, net.Net().Parameters.ToArray(), gradient, net.Seed, "in the parameters");
                }
            },
            fullCount: 500
        );

    [Fact]
    public void A_network_learns_which_side_of_a_circle_points_lie_on()
    {
        var random = new SeededRandom(1);
        Matrix x = NetCase.Normals(2500, 2, random);
        int[] labels = [.. Enumerable.Range(0, 2500).Select(i => (x[i, 0] * x[i, 0]) + (x[i, 1] * x[i, 1]) > 1.4 ? 1 : 0)];
        LearningTask task = LearningTask.Classification(x, labels);
        Mlp Trained()
        {
            Mlp net = Mlp.Random([2, 16, 2], Activation.Relu, new SeededRandom(2));
            task.Train(net, 400, 64, new() { LearningRate = 1e-2 }, new SeededRandom(3));
            return net;
        }
        (double loss, double accuracy) = task.Evaluate(Trained());
        Assert.InRange(accuracy, 0.95, 1);
        Assert.InRange(loss, 0, 0.15);
        Assert.Equal(Trained().Parameters.ToArray(), Trained().Parameters.ToArray());
        // More examples than one piece: the mean is that of all.
        Matrix outputs = Trained().Forward(x);
        Assert.Equal(Loss.SoftmaxCrossEntropy(outputs, labels), loss, 1e-12);
        Assert.Equal(
            labels.Where((label, i) => (outputs[i, 1] > outputs[i, 0] ? 1 : 0) == label).Count() / 2500.0,
            accuracy,
            1e-12
        );
    }

    [Fact]
    public void A_regression_has_no_accuracy()
    {
        LearningTask task = LearningTask.Regression(new Matrix(3, 1, [1, 2, 3]), new Matrix(3, 1, [2, 4, 6]));
        var net = new Mlp([1, 1], Activation.Relu);
        net.Weights(0)[0] = 1;
        Assert.Equal((14.0 / 3, double.NaN), task.Evaluate(net));
        task.Train(net, 500, 3, new() { LearningRate = 0.05 }, new SeededRandom(1));
        Assert.Equal(2, net.Weights(0)[0], 1e-3);
    }

    [Fact]
    public void Tasks_are_checked()
    {
        Assert.Throws<ArgumentException>(() => LearningTask.Classification(new Matrix(2, 1), [0]));
        Assert.Throws<ArgumentOutOfRangeException>(() => LearningTask.Classification(new Matrix(2, 1), [0, -1]));
        Assert.Throws<ArgumentOutOfRangeException>(() => LearningTask.Classification(new Matrix(0, 1), []));
        Assert.Throws<ArgumentException>(() => LearningTask.Classification(new Matrix(1, 1, [double.NaN]), [0]));
        Assert.Throws<ArgumentException>(() => LearningTask.Regression(new Matrix(2, 1), new Matrix(1, 1)));
        Assert.Throws<ArgumentException>(() => LearningTask.Regression(new Matrix(1, 1), new Matrix(1, 1, [double.NaN])));
        LearningTask task = LearningTask.Classification(new Matrix(2, 3), [0, 2]);
        var net = new Mlp([3, 2], Activation.Relu);
        Assert.Throws<ArgumentOutOfRangeException>(() => task.Evaluate(net)); // label 2 of 2 outputs
        Assert.Throws<ArgumentException>(() => task.Evaluate(new Mlp([2, 3], Activation.Relu)));
        Assert.Throws<ArgumentOutOfRangeException>(() => task.Train(net, 1, 0, new(), new SeededRandom(1)));
        Assert.Throws<ArgumentOutOfRangeException>(() => task.Gradient(net, [2], new double[8]));
    }
}
