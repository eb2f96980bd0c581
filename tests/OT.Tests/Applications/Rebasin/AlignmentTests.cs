using OT.Applications.Rebasin;
using OT.Neural;
using OT.Numerics;
using OT.Testing;
using OT.Tests.Neural;
using Xunit;

namespace OT.Tests.Applications.Rebasin;

public class AlignmentTests
{
    [Fact]
    public void Hard_matrices_permute() =>
        Law.Check(
            NetCase.Any(),
            net =>
            {
                int[][] permutations = net.Permutations();
                Mlp soft = Alignment.Apply(net.Net(), Array.ConvertAll(permutations, Alignment.ToMatrix));
                Assert.Equal(net.Net().Permute(permutations).Parameters.ToArray(), soft.Parameters.ToArray());
            }
        );

    [Fact]
    public void GradientVsFiniteDifference() =>
        Law.Check(
            NetCase.Any(),
            net =>
            {
                // Any matrices will do: the formula does not need sums of 1.
                var random = new SeededRandom(net.Seed);
                Mlp a = net.Net(1);
                Matrix[] plans =
                [
                    .. Enumerable.Range(0, net.Layers - 1).Select(_ => NetCase.Normals(net.Hidden, net.Hidden, random)),
                ];
                double[] weights = NetCase.Normals(a.Parameters.Length, random);
                for (int l = 0; l < plans.Length; l++)
                {
                    double Scalar(double[] values)
                    {
                        Matrix[] moved = [.. plans];
                        moved[l] = new Matrix(net.Hidden, net.Hidden, values);
                        return Summation.Dot(weights, Alignment.Apply(a, moved).Parameters);
                    }
                    Matrix gradient = Alignment.PlanGradient(a, weights, plans, l);
                    Differences.Check(Scalar, plans[l].Values.ToArray(), gradient.Values, net.Seed, $"in P_{l}");
                }
            }
        );
}
