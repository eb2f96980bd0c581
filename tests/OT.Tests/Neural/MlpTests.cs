using OT.Neural;
using OT.Numerics;
using OT.Testing;
using Xunit;

namespace OT.Tests.Neural;

public class MlpTests
{
    [Fact]
    public void Forward_equals_loops_over_the_formula() =>
        Law.Check(
            NetCase.Any(),
            net =>
            {
                Matrix x = net.Examples(),
                    y = net.Net().Forward(x);
                for (int i = 0; i < x.Rows; i++)
                {
                    double[] expected = Naive(net.Net(), x.Row(i).ToArray());
                    double size = expected.Max(Math.Abs) + 1;
                    // A sum of h terms in each layer, whose sizes multiply from layer to layer.
                    Approx.Equal(expected, y.Row(i), 1e-13 * size * Math.Pow(6, net.Layers), "outputs");
                }
            }
        );

    static double[] Naive(Mlp net, double[] x)
    {
        for (int l = 0; l < net.LayerCount; l++)
        {
            var y = new double[net.Widths[l + 1]];
            for (int i = 0; i < y.Length; i++)
            {
                y[i] = net.Bias(l)[i];
                for (int j = 0; j < x.Length; j++)
                    y[i] += net.Weights(l)[(i * x.Length) + j] * x[j];
                if (l + 1 < net.LayerCount)
                    y[i] = net.Activation switch
                    {
                        Activation.Relu => y[i] > 0 ? y[i] : 0,
                        Activation.Tanh => Math.Tanh(y[i]),
                        _ => Math.Log(1 + Math.Exp(y[i])),
                    };
            }
            x = y;
        }
        return x;
    }

    // Fewer cases in the long run: a difference across the kink of a relu would be no fault.
    [Fact]
    public void GradientVsFiniteDifference() =>
        Law.Check(
            NetCase.Any(),
            net =>
            {
                Matrix x = net.Examples();
                Matrix weights = NetCase.Normals(x.Rows, net.Outputs, new SeededRandom(net.Seed + 7));
                double Scalar(double[] parameters, double[] inputs)
                {
                    Mlp moved = net.Net();
                    parameters.CopyTo(moved.Parameters);
                    Matrix y = moved.Forward(new Matrix(x.Rows, x.Columns, inputs));
                    double sum = 0;
                    for (int i = 0; i < y.Values.Length; i++)
                        sum += y.Values[i] * weights.Values[i];
                    return sum;
                }
                double[] at = net.Net().Parameters.ToArray(),
                    inputs = x.Values.ToArray();
                var parameterGradients = new double[at.Length];
                var inputGradients = new double[inputs.Length];
                net.Net().Run(x).Backward(weights, parameterGradients, inputGradients);
                Differences.Check(p => Scalar(p, inputs), at, parameterGradients, net.Seed, "in the parameters");
                Differences.Check(v => Scalar(at, v), inputs, inputGradients, net.Seed, "in the inputs");
                // Leaving one out does not change the other.
                var alone = new double[inputs.Length];
                net.Net().Run(x).Backward(weights, [], alone);
                Assert.Equal(inputGradients, alone);
            },
            fullCount: 500
        );

    [Fact]
    public void Renumbering_hidden_units_keeps_the_function_and_composes() =>
        Law.Check(
            NetCase.Any(),
            net =>
            {
                Mlp a = net.Net();
                int[][] p = net.Permutations(1),
                    q = net.Permutations(2);
                Matrix x = net.Examples();
                double[] y = a.Forward(x).Values.ToArray();
                double size = 1 + y.Max(Math.Abs);
                Approx.Equal(y, a.Permute(p).Forward(x).Values, 1e-12 * size, "outputs");
                // Unit i of the second result is unit q[i] of the first, which is unit p[q[i]].
                int[][] both = [.. p.Zip(q, (first, second) => Array.ConvertAll(second, i => first[i]))];
                Assert.Equal(a.Permute(both).Parameters.ToArray(), a.Permute(p).Permute(q).Parameters.ToArray());
                int[][] inverse =
                [
                    .. p.Select(order => Enumerable.Range(0, order.Length).Select(i => Array.IndexOf(order, i)).ToArray()),
                ];
                Assert.Equal(a.Parameters.ToArray(), a.Permute(p).Permute(inverse).Parameters.ToArray());
            }
        );

    [Fact]
    public void The_segment_between_two_networks_ends_at_them()
    {
        var net = new NetCase(3, 4, 3, 2, 1, 8, Activation.Tanh);
        Mlp a = net.Net(1),
            b = net.Net(2);
        Assert.Equal(a.Parameters.ToArray(), Mlp.Interpolate(a, b, 0).Parameters.ToArray());
        Assert.Equal(b.Parameters.ToArray(), Mlp.Interpolate(a, b, 1).Parameters.ToArray());
        Assert.Equal((0.75 * a.Parameters[5]) + (0.25 * b.Parameters[5]), Mlp.Interpolate(a, b, 0.25).Parameters[5]);
        Assert.Throws<ArgumentException>(() => Mlp.Interpolate(a, new Mlp([3, 4, 2], Activation.Tanh), 0.5));
        Assert.Throws<ArgumentException>(() => Mlp.Interpolate(a, new Mlp([3, 4, 4, 2], Activation.Relu), 0.5));
        Assert.Throws<ArgumentOutOfRangeException>(() => Mlp.Interpolate(a, b, double.NaN));
    }

    [Theory]
    [InlineData(Activation.Relu, 2.0)]
    [InlineData(Activation.Tanh, 1.0)]
    public void The_random_start_has_the_variance_of_He(Activation activation, double gain)
    {
        Mlp net = Mlp.Random([100, 200, 50], activation, new SeededRandom(1));
        for (int l = 0; l < 2; l++)
        {
            double[] weights = net.Weights(l).ToArray();
            double variance = weights.Sum(w => w * w) / weights.Length;
            // The relative error of a variance of k normals is sqrt(2/k); five of them.
            Assert.Equal(gain / net.Widths[l], variance, 5 * Math.Sqrt(2.0 / weights.Length) * gain / net.Widths[l]);
            Assert.All(net.Bias(l).ToArray(), bias => Assert.Equal(0, bias));
        }
        Assert.Equal(net.Parameters.ToArray(), Mlp.Random([100, 200, 50], activation, new SeededRandom(1)).Parameters.ToArray());
        Assert.NotEqual(
            net.Parameters.ToArray(),
            Mlp.Random([100, 200, 50], activation, new SeededRandom(2)).Parameters.ToArray()
        );
    }

    [Fact]
    public void Softplus_keeps_its_tails()
    {
        var net = new Mlp([1, 1, 1], Activation.Softplus);
        net.Weights(0)[0] = net.Weights(1)[0] = 1;
        foreach (double z in (double[])[-700, -50, -30, 40, 800])
        {
            double expected = z > 0 ? z : Math.Exp(z); // log(1 + e^z) up to e^−30 of itself
            Assert.Equal(expected, net.Forward(new Matrix(1, 1, [z])).Values[0], 1e-13 * expected);
        }
    }

    [Fact]
    public void LengthMismatchThrows()
    {
        var net = new Mlp([3, 4, 2], Activation.Relu);
        Assert.Throws<ArgumentException>(() => new Mlp([3], Activation.Relu));
        Assert.Throws<ArgumentOutOfRangeException>(() => new Mlp([3, 0, 2], Activation.Relu));
        Assert.Throws<ArgumentOutOfRangeException>(() => new Mlp([3, 2], (Activation)9));
        Assert.Throws<ArgumentException>(() => new Mlp([1 << 20, 1 << 20], Activation.Relu));
        Assert.Throws<ArgumentException>(() => net.Forward(new Matrix(5, 2)));
        Assert.Throws<ArgumentOutOfRangeException>(() => net.Forward(new Matrix(0, 3)));
        Assert.Throws<ArgumentException>(() => net.Run(new Matrix(5, 3)).Backward(new Matrix(4, 2), []));
        Assert.Throws<ArgumentException>(() => net.Run(new Matrix(5, 3)).Backward(new Matrix(5, 2), new double[3]));
        Assert.Throws<ArgumentException>(() => net.Run(new Matrix(5, 3)).Backward(new Matrix(5, 2), [], new double[3]));
        Assert.Throws<ArgumentException>(() => net.Permute([]));
        Assert.Throws<ArgumentException>(() =>
            net.Permute([
                [0, 1, 2],
            ])
        );
        ArgumentException twice = Assert.Throws<ArgumentException>(() =>
            net.Permute([
                [0, 1, 2, 2],
            ])
        );
        Assert.Contains("permutations[0] holds 2", twice.Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() =>
            net.Permute([
                [0, 1, 2, 4],
            ])
        );
        Assert.Equal("3-4-2 Relu", net.ToString());
    }
}
