using OT.Applications.Rebasin;
using OT.Neural;
using OT.Results;
using OT.Testing;
using OT.Tests.Neural;
using Xunit;

namespace OT.Tests.Applications.Rebasin;

public class WeightMatchingTests
{
    [Fact]
    public void The_distance_never_grows_and_no_swap_of_two_units_makes_it_smaller() =>
        Law.Check(
            NetCase.Any(),
            net =>
            {
                Mlp a = net.Net(1),
                    b = net.Net(2);
                RebasinResult result = WeightMatching.Align(a, b, net.Seed);
                Assert.True(result.Converged);
                for (int k = 1; k < result.History.Length; k++)
                    Assert.True(result.History[k] <= result.History[k - 1]);
                Assert.Equal(a.Permute(result.Permutations).Parameters.ToArray(), result.Aligned.Parameters.ToArray());
                double squared = Squared(result.Aligned, b);
                Approx.Equal(squared, result.Distance * result.Distance, 1e-13 * squared, "distance");
                Approx.Equal(squared / a.Parameters.Length, result.Objective, 1e-13 * squared, "objective");
                for (int l = 0; l < result.Permutations.Count; l++)
                {
                    for (int i = 0; i < net.Hidden; i++)
                    {
                        for (int j = 0; j < i; j++)
                        {
                            int[][] swapped = [.. result.Permutations.Select(p => p.ToArray())];
                            (swapped[l][i], swapped[l][j]) = (swapped[l][j], swapped[l][i]);
                            Approx.AtMost(squared, Squared(a.Permute(swapped), b) * (1 + 1e-12), "a swap's distance");
                        }
                    }
                }
            },
            fullCount: 2000
        );

    [Fact]
    public void One_hidden_layer_is_solved_exactly() =>
        Law.Check(
            NetCase.Any(),
            net =>
            {
                NetCase flat = net with { Layers = 2 };
                Mlp b = flat.Net().Permute(flat.Permutations());
                RebasinResult result = WeightMatching.Align(flat.Net(), b);
                Assert.Equal(0, result.Distance);
                Assert.Equal(b.Parameters.ToArray(), result.Aligned.Parameters.ToArray());
            }
        );

    [Fact]
    public void Tied_units_are_no_obstacle()
    {
        var a = new Mlp([2, 4, 4, 1], Activation.Relu);
        a.Parameters.Fill(0.5);
        RebasinResult result = WeightMatching.Align(a, a.Copy());
        Assert.Equal((SolverStatus.Converged, 0.0, 1), (result.Status, result.Distance, result.Iterations));
        Assert.Equal([0, 1, 2, 3], result.Permutations[1]);
    }

    [Fact]
    public void Stops_and_arguments()
    {
        var net = new NetCase(2, 5, 3, 1, 1, 4, Activation.Tanh);
        using var cancelled = new CancellationTokenSource();
        cancelled.Cancel();
        RebasinResult result = WeightMatching.Align(net.Net(1), net.Net(2), 0, cancelled.Token);
        Assert.Equal(SolverStatus.Cancelled, result.Status);
        Assert.Equal(net.Net(1).Parameters.ToArray(), result.Aligned.Parameters.ToArray());
        Assert.Throws<ArgumentException>(() => WeightMatching.Align(net.Net(), (net with { Hidden = 4 }).Net()));
        Mlp broken = net.Net();
        broken.Parameters[3] = double.NaN;
        Assert.Throws<ArgumentException>(() => WeightMatching.Align(net.Net(), broken));
        broken.Parameters[3] = -1e200;
        Assert.Throws<ArgumentException>(() => WeightMatching.Align(broken, net.Net()));
    }

    static double Squared(Mlp a, Mlp b)
    {
        double sum = 0;
        for (int i = 0; i < a.Parameters.Length; i++)
            sum += (a.Parameters[i] - b.Parameters[i]) * (a.Parameters[i] - b.Parameters[i]);
        return sum;
    }
}
